package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/command"
)

func TestOnePass(t *testing.T) {
	for _, staged := range []bool{false, true} {
		h := testHost(t)
		u := h.unit("web", h.file("a.conf", "one"), h.file("b.conf", "two"))
		if staged {
			u = u.withStagedCheck()
		}
		out := h.converge(u, InSync)
		if diff := cmp.Diff([]string{h.path("a.conf"), h.path("b.conf")}, out.Changed); diff != "" || !out.Reloaded {
			t.Errorf("reloaded %v, changed (-want +got)\n%s", out.Reloaded, diff)
		}
		h.expect("a.conf", "one")
		h.expect("b.conf", "two")
		if ran := h.commands(); len(ran) != 2 || !strings.HasPrefix(ran[0], "check") || ran[1] != "reload" {
			t.Errorf("ran %v", ran)
		}
		before := h.journalSize(t)
		if out := h.converge(u, InSync); len(out.Changed) > 0 || len(h.commands()) > 0 || !out.Retry.IsZero() {
			t.Errorf("nothing changed, and yet: %+v", out)
		}
		h.restart()
		if out := h.converge(u, InSync); len(out.Changed) > 0 || len(h.commands()) > 0 {
			t.Errorf("nothing changed after a restart, and yet: %+v", out)
		}
		if after := h.journalSize(t); after != before {
			t.Errorf("nothing changed, and the journal grew from %d to %d", before, after)
		}
		h.noLeftovers()
	}
}

func TestWithoutCommands(t *testing.T) {
	h := testHost(t)
	u := h.unit("hosts", h.file("hosts", "one"))
	u.Check, u.Reload = nil, nil
	h.converge(u, InSync)
	h.expect("hosts", "one")
	if len(h.commands()) > 0 {
		t.Error("commands ran")
	}
}

func TestCheckFails(t *testing.T) {
	for _, staged := range []bool{false, true} {
		h := testHost(t)
		with := func(a, b string) Unit {
			u := h.unit("web", h.file("a.conf", a), h.file("b.conf", b))
			if staged {
				u = u.withStagedCheck()
			}
			return u
		}
		// first of all: what was not there is not there again
		out := h.converge(with("one", "bad"), Failed)
		matches(t, out.Err, `^check check.*: exit status 1: .*b\.conf.*: bad$`)
		h.expect("a.conf", "")
		h.expect("b.conf", "")
		h.commands()

		h.converge(with("one", "two"), InSync)
		h.commands()
		h.converge(with("ONE", "bad"), Failed)
		h.expect("a.conf", "one")
		h.expect("b.conf", "two")
		if ran := h.commands(); len(ran) != 1 {
			t.Errorf("staged %v: after a failed check ran %v", staged, ran)
		}
		h.noLeftovers()
	}
}

func TestReloadFails(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("web", h.file("a.conf", "one"), h.file("b.conf", "two")), InSync)
	h.commands()
	u := h.unit("web", h.file("a.conf", "unloadable"), h.file("b.conf", "TWO"))
	out := h.converge(u, Failed)
	matches(t, out.Err, `^reload reload: exit status 1: .*a\.conf: unloadable$`)
	h.expect("a.conf", "one")
	h.expect("b.conf", "two")
	want := []string{"check", "reload", "check", "reload"}
	if diff := cmp.Diff(want, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
	if h.loaded[h.path("a.conf")] != "one" {
		t.Errorf("the service has %v", h.loaded)
	}
	// the same again is not tried before its time
	if out := h.converge(u, Failed); len(h.commands()) > 0 || !out.Retry.Equal(h.clock.Add(time.Second)) {
		t.Errorf("retry at %v, now %v", out.Retry, h.clock)
	}
	// but anything else is
	h.converge(h.unit("web", h.file("a.conf", "three"), h.file("b.conf", "TWO")), InSync)
	h.noLeftovers()
}

func TestReloadAfterRollbackFails(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	h.failReloads = 2
	u := h.unit("web", h.file("a.conf", "two"))
	h.converge(u, Owed)
	h.expect("a.conf", "one")
	h.restart() // the debt survives
	h.commands()
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
}

func TestBackoff(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	h.failReloads = 1000
	var delays []time.Duration
	for range 12 {
		out := h.converge(u, Owed)
		delays = append(delays, out.Retry.Sub(h.clock))
		h.clock = out.Retry.Add(-time.Nanosecond)
		h.commands()
		h.converge(u, Owed)
		if ran := h.commands(); len(ran) > 0 {
			t.Fatalf("ran %v before its time", ran)
		}
		h.clock = out.Retry
	}
	s := time.Second
	want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s, 300 * s}
	if diff := cmp.Diff(want, delays); diff != "" {
		t.Errorf("delays (-want +got)\n%s", diff)
	}
	h.failReloads = 0
	h.converge(u, InSync)
	h.failReloads = 2
	if out := h.converge(h.unit("web", h.file("a.conf", "two")), Owed); out.Retry.Sub(h.clock) != s {
		t.Errorf("after a success it begins with %v", out.Retry.Sub(h.clock))
	}
	u = h.unit("web", h.file("a.conf", "two"))
	u.Override = true // an operator does not wait
	h.converge(u, InSync)
}

// The wait counts from the end of an attempt that takes long.
func TestBackoffAfterALongAttempt(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	u.Verify = &Verify{Name: "nothing", Watch: func() func(context.Context) error {
		return func(context.Context) error {
			h.clock = h.clock.Add(10 * time.Second)
			return errors.New("waited for nothing")
		}
	}}
	out := h.converge(u, Owed)
	if want := h.clock.Add(time.Second); !out.Retry.Equal(want) {
		t.Errorf("retry at %v, want %v", out.Retry, want)
	}
	h.commands()
	h.converge(u, Owed)
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v before its time", ran)
	}
	h.clock = out.Retry
	if out = h.converge(u, Owed); !out.Retry.Equal(h.clock.Add(2 * time.Second)) {
		t.Errorf("retry at %v, now %v", out.Retry, h.clock)
	}
}

func TestAgainDoesNotWait(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	h.failReloads = 1000
	h.converge(u, Owed)
	h.failReloads = 0
	h.converge(u, Owed) // its time has not come
	u.Again = true
	h.converge(u, InSync)
}

// What was wrong in a rule and is corrected is tried at once, and what another
// correction left wrong as well.
func TestACorrectedRuleDoesNotWait(t *testing.T) {
	changes := map[string]func(*Unit){
		"reload":           func(u *Unit) { u.Reload = &command.Command{Argv: []string{"reload-other"}} },
		"timeout":          func(u *Unit) { u.Reload = &command.Command{Argv: []string{"reload"}, Timeout: time.Minute} },
		"verify":           func(u *Unit) { u.Verify = &Verify{Command: &command.Command{Argv: []string{"true"}}} },
		"workers":          func(u *Unit) { u.Verify = Workers("/proc/self/none", time.Second) },
		"create_dest_dirs": func(u *Unit) { u.Files[0].MakeDirs = true },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			h := testHost(t)
			h.failReloads = 1000
			h.converge(h.unit("web", h.file("a.conf", "one")), Owed)
			h.commands()
			h.converge(h.unit("web", h.file("a.conf", "one")), Owed)
			if ran := h.commands(); len(ran) > 0 {
				t.Fatalf("the same rule ran %v before its time", ran)
			}
			u := h.unit("web", h.file("a.conf", "one"))
			change(&u)
			h.converge(u, Owed)
			if len(h.commands()) == 0 {
				t.Error("the corrected rule waited")
			}
		})
	}
}

func TestTheSameWorkersForLongerDoNotWait(t *testing.T) {
	within := func(d time.Duration) *Verify { return Workers("/run/none.pid", d) }
	a, b := pass{unit: &Unit{Verify: within(time.Second)}}, pass{unit: &Unit{Verify: within(time.Minute)}}
	if a.print() == b.print() {
		t.Error("a longer timeout is the same attempt")
	}
	if a.print() != (&pass{unit: &Unit{Verify: within(time.Second)}}).print() {
		t.Error("the same is another attempt")
	}
}

func TestReloadFailsThreeTimesAcrossRestarts(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	h.failReloads = 3
	h.converge(u, Owed)
	h.expect("a.conf", "")
	h.restart()
	h.converge(u, Failed) // the third time; then the service has what is there: nothing
	h.expect("a.conf", "")
	h.restart()
	h.converge(u, InSync)
	h.expect("a.conf", "one")
	if h.loaded[h.path("a.conf")] != "one" {
		t.Errorf("the service has %v", h.loaded)
	}
}

func TestDiskAsDesiredButNotLoaded(t *testing.T) {
	h := testHost(t)
	h.put("a.conf", "one") // by somebody else, and who knows what the service has
	u := h.unit("web", h.file("a.conf", "one"))
	out := h.converge(u, InSync)
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" || len(out.Changed) > 0 {
		t.Errorf("changed %v, commands (-want +got)\n%s", out.Changed, diff)
	}
}

func TestDrift(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	h.converge(u, InSync)
	h.put("a.conf", "by hand")
	out := h.converge(u, InSync)
	if diff := cmp.Diff([]string{h.path("a.conf")}, out.Drifted); diff != "" {
		t.Error(diff)
	}
	h.expect("a.conf", "one")
	if f := h.status("web").Files[0]; f.Drifts != 1 || f.State != InSync || !f.Drifted.Equal(h.clock) {
		t.Errorf("status %+v", f)
	}
	// while it cannot be put back it stays, is said, and counts once
	h.put("a.conf", "by hand again")
	h.failChecks = 2
	h.converge(u, Failed)
	h.expect("a.conf", "by hand again")
	h.converge(u, Failed)
	if f := h.status("web").Files[0]; f.Drifts != 2 || f.State != Drifted || !strings.Contains(f.Why, "not put back: check check") {
		t.Errorf("status %+v", f)
	}
	h.clock = h.clock.Add(time.Minute)
	h.converge(u, Failed)
	h.clock = h.clock.Add(time.Minute)
	h.converge(u, InSync)
	h.expect("a.conf", "one")
}

func TestDebtOfOldFilesIsSettledThoughNewOnesFail(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	h.failReloads = 2
	h.converge(h.unit("web", h.file("a.conf", "two")), Owed)
	h.commands()
	h.converge(h.unit("web", h.file("a.conf", "bad")), Failed)
	if diff := cmp.Diff([]string{"check", "check", "reload"}, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
	if h.loaded[h.path("a.conf")] != "one" {
		t.Errorf("the service has %v", h.loaded)
	}
}

func TestEvery(t *testing.T) {
	h := testHost(t)
	with := func(text string) Unit {
		u := h.unit("web", h.file("a.conf", text))
		u.Every = 10 * time.Second
		return u
	}
	h.converge(with("one"), InSync)
	at := h.clock.Add(10 * time.Second)
	h.clock = h.clock.Add(3 * time.Second)
	if out := h.converge(with("two"), Pending); !out.Retry.Equal(at) {
		t.Errorf("retry %v, want %v", out.Retry, at)
	}
	h.expect("a.conf", "one")
	h.restart() // which is no way round it
	h.converge(with("two"), Pending)
	h.clock = at
	h.converge(with("two"), InSync)
	h.expect("a.conf", "two")
}

func TestCancelDuringReload(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	ctx, cancel := context.WithCancel(t.Context())
	u := h.unit("web", h.file("a.conf", "two"))
	reload := command.Command{Argv: []string{"reload"}}
	u.Reload = &reload
	run := h.r.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if c.Argv[0] == "reload" {
			cancel()
		}
		return run(ctx, c)
	}
	out := h.r.Converge(ctx, []Unit{u})[0]
	if out.State != Owed {
		t.Fatalf("state %s (%v)", out.State, out.Err)
	}
	h.expect("a.conf", "two") // it was checked
	h.restart()
	h.commands()
	h.converge(u, InSync)
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
	h.noLeftovers()
}
