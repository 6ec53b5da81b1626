package reconcile

import (
	"testing"
	"time"
)

// Two that disagree about a file do not reload the service for ever at the pace
// of their watchers; what the rule newly wants is no matter of the dispute.
func TestFightOverAFile(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("x", "mine"))
	h.converge(u, InSync)
	reloads := 0
	round := func() Outcome {
		h.put("x", "theirs")
		out := h.r.Converge(t.Context(), []Unit{u})[0]
		if out.Reloaded {
			reloads++
		}
		return out
	}
	for range 600 { // a minute
		h.clock = h.clock.Add(100 * time.Millisecond)
		round()
	}
	if reloads < patience || reloads > patience+7 {
		t.Errorf("%d reloads in a minute", reloads)
	}
	out := round()
	if out.State != Drifted || !out.Retry.After(h.clock) || out.Retry.Sub(h.clock) > backoffMost {
		t.Errorf("got %+v", out)
	}
	if plan := h.r.Plan([]Unit{u})[0]; plan.State != Drifted || plan.Why == "" {
		t.Errorf("plan %+v", plan)
	}

	u = h.unit("web", h.file("x", "mine, newer"))
	h.converge(u, InSync)
	h.expect("x", "mine, newer")
	h.put("x", "theirs")
	h.converge(u, Drifted)
	asked := u
	asked.Again = true
	h.converge(asked, InSync)

	out = round()
	h.clock = out.Retry
	h.converge(u, InSync)
	h.clock = h.clock.Add(truce + time.Second)
	for range patience {
		if out := round(); out.State != InSync {
			t.Errorf("after a truce it is not put back at once: %+v", out)
		}
	}
}
