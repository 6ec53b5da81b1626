package reconcile

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/command"
)

// What happens to a rule is counted, once for each rule that it happens to.
func TestCounts(t *testing.T) {
	h := testHost(t)
	expect := func(what string, rule string, want Counts) {
		t.Helper()
		if diff := cmp.Diff(want, h.status(rule).Counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	pass := func(text string) []Outcome {
		return h.r.Converge(t.Context(), []Unit{h.unit("a", h.file("a.conf", text)), h.unit("b", h.file("b.conf", "fine"))})
	}
	pass("one")
	c := Counts{Changes: 1, Checks: 1, Reloads: 1}
	expect("first pass", "a", c)
	expect("first pass", "b", c)
	pass("one")
	expect("nothing to do", "a", c)

	pass("bad")
	c.Checks, c.CheckFailures, c.Rollbacks = 2, 1, 1
	expect("check failed", "a", c)
	expect("check of another failed", "b", Counts{Changes: 1, Checks: 1, Reloads: 1})

	pass("unloadable")
	c.Checks += 2 // of the new file and of the old one, that is loaded again
	c.Reloads, c.ReloadFailures, c.Rollbacks = c.Reloads+2, 1, 2
	expect("reload failed", "a", c)

	must(t, os.WriteFile(h.path("b.conf"), []byte("edited"), 0o644))
	pass("one")
	expect("drift", "b", Counts{Changes: 2, Checks: 2, Reloads: 2, Drifts: 1})

	h.r.Forget([]string{"b"})
	h.r.Converge(t.Context(), []Unit{h.unit("b", h.file("b.conf", "fine"))})
	expect("forgotten, and looked at as if new", "b", Counts{Checks: 1, Reloads: 1})
}

// A check that saw nothing in a mount namespace is no check.
func TestBlindChecksDoNotCount(t *testing.T) {
	for _, text := range []string{"fine", "bad"} {
		h := testHost(t)
		u := h.unit("web", h.file("a.conf", text))
		u.Check = checkBy(CheckAuto, "check-blind")
		h.r.Converge(t.Context(), []Unit{u})
		if got := h.status("web").Counts; got.Checks != 1 || got.CheckFailures != one(text == "bad") {
			t.Errorf("%s: %+v after %v", text, got, h.commands())
		}
	}
}

// A service that does not take in what it was made to reload.
func TestVerifyFailuresCount(t *testing.T) {
	h := testHost(t)
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if c.Argv[0] == "verify" {
			return command.Result{ExitCode: 1}
		}
		return h.command(ctx, c)
	}
	u := h.unit("web", h.file("a.conf", "one"))
	u.Verify = &Verify{Command: &command.Command{Argv: []string{"verify"}}}
	h.r.Converge(t.Context(), []Unit{u})
	if got := h.status("web").Counts; got.VerifyFailures == 0 || got.ReloadFailures != 0 || got.Rollbacks != 1 || got.Changes != 0 {
		t.Errorf("%+v after %v", got, h.commands())
	}
}
