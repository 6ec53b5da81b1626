package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/reconcile"
)

// What is measured of a rule: it grows with every pass, goes on when the rule's
// text changes, and begins anew when the rule was gone.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newVillage(a), rule(`guard { min_members = 1 }`))
		measured := func() RuleMetrics {
			t.Helper()
			h.rest()
			m, err := h.Metrics(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Measured) != 1 || m.Rules[0].Rule != "web" {
				t.Fatalf("measured %+v of %+v", m.Measured, m.Rules)
			}
			return m.Measured[0]
		}
		first := measured()
		if first.Passes == 0 || first.Renders != first.Passes || first.RenderTime.Count != first.Renders || first.Changes != 1 ||
			first.ConvergeTime.Count != 1 || !first.InSync.Equal(time.Now()) {
			t.Errorf("the first pass: %+v", first)
		}
		h.set() // nobody
		held := measured()
		for held.Held == 0 { // after the rule's wait
			time.Sleep(time.Second)
			held = measured()
		}
		if held.InSync != first.InSync || held.Passes <= first.Passes || held.Changes != 1 || held.ConvergeTime.Count != 1 {
			t.Errorf("held: %+v", held)
		}
		h.write("rules/rule.hcl", rule(`vars = { x = fail }`))
		if _, err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := measured(); got.Passes < held.Passes {
			t.Errorf("a bad reload forgets what was measured: %+v", got)
		}
		h.set(a, b)
		h.write("rules/rule.hcl", rule(""))
		if _, err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		changed := measured()
		if changed.Passes <= held.Passes || changed.Changes != 2 || changed.Held != held.Held {
			t.Errorf("the rule's text has changed: %+v", changed)
		}
		for _, text := range []string{"", rule("")} {
			h.write("rules/rule.hcl", text)
			if _, err := h.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.rest()
		}
		if got := measured(); got.Passes >= changed.Passes || got.Held != 0 {
			t.Errorf("the rule was gone and came back: %+v", got)
		}
	})
}

func TestRenderFailuresCount(t *testing.T) {
	var tally Tally
	tally.count(&job{report: Report{Render: 3 * time.Millisecond}}, time.Now())
	tally.count(&job{report: Report{Render: time.Hour}, rendered: &rendering{}, outcome: reconcile.Outcome{State: reconcile.Failed}}, time.Now())
	if tally.Passes != 2 || tally.Renders != 2 || tally.RenderFailures != 1 || tally.ConvergeTime.Count != 0 || !tally.InSync.IsZero() {
		t.Errorf("%+v", tally)
	}
	if diff := cmp.Diff([]uint64{0, 1, 0, 0, 0, 0, 1}, tally.RenderTime.Counts); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	copied := tally.RenderTime.clone(renderBounds)
	tally.RenderTime.observe(time.Millisecond, renderBounds)
	if copied.Counts[0] != 0 || tally.RenderTime.Counts[0] != 1 {
		t.Error("a bucket's end does not belong to it, or the copy changes")
	}
}
