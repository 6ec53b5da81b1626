package reconcile

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/command"
)

func states(outs []Outcome) []State {
	var list []State
	for _, o := range outs {
		list = append(list, o.State)
	}
	return list
}

func TestSharedCommandsRunOnce(t *testing.T) {
	h := testHost(t)
	var units []Unit
	for i := range 5 {
		units = append(units, h.unit(fmt.Sprint("rule", i), h.file(fmt.Sprint(i, ".conf"), "fine")))
	}
	outs := h.r.Converge(t.Context(), units)
	if diff := cmp.Diff([]State{InSync, InSync, InSync, InSync, InSync}, states(outs)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
}

func TestGuiltyOneIsFound(t *testing.T) {
	for _, fault := range []string{"bad", "unloadable"} {
		h := testHost(t)
		var units []Unit
		for i, text := range []string{"fine", "fine", fault, "fine"} {
			units = append(units, h.unit(fmt.Sprint("rule", i), h.file(fmt.Sprint(i, ".conf"), text)))
		}
		outs := h.r.Converge(t.Context(), units)
		if diff := cmp.Diff([]State{InSync, InSync, Failed, InSync}, states(outs)); diff != "" {
			t.Errorf("%s: %s", fault, diff)
		}
		matches(t, outs[2].Err, `exit status 1: .*2\.conf: `+fault+"$")
		for i, want := range []string{"fine", "fine", "", "fine"} {
			h.expect(fmt.Sprint(i, ".conf"), want)
		}
		ran := h.commands()
		if fault == "bad" {
			// all; none; each alone; and one reload for the three
			if diff := cmp.Diff([]string{"check", "check", "check", "check", "check", "check", "reload"}, ran); diff != "" {
				t.Errorf("commands (-want +got)\n%s", diff)
			}
		} else if len(ran) > 2+2+2*4+2 {
			t.Errorf("%d commands: %v", len(ran), ran)
		}
		if got := len(h.loaded); got != 3 {
			t.Errorf("%s: the service has %v", fault, h.loaded)
		}
		h.noLeftovers()
	}
}

func TestNobodyIsGuiltyOfABrokenService(t *testing.T) {
	h := testHost(t)
	var units []Unit
	for i := range 10 {
		units = append(units, h.unit(fmt.Sprint("rule", i), h.file(fmt.Sprint(i, ".conf"), "fine")))
	}
	h.failChecks = 1000
	h.r.Converge(t.Context(), units)
	if ran := h.commands(); len(ran) != 2 { // with all, and with none
		t.Errorf("ran %v", ran)
	}
	h.clock = h.clock.Add(time.Minute)
	h.hangChecks = true // and what hangs is not tried over and over
	h.r.Converge(t.Context(), units)
	if ran := h.commands(); len(ran) != 1 {
		t.Errorf("ran %v", ran)
	}
	h.clock = h.clock.Add(time.Minute)
	h.hangChecks, h.failChecks, h.failReloads = false, 0, 1000
	for _, o := range h.r.Converge(t.Context(), units) {
		if o.State != Owed {
			t.Errorf("%s is %s", o.Rule, o.State)
		}
	}
	if ran := h.commands(); len(ran) != 4 { // new, and old
		t.Errorf("ran %v", ran)
	}
	h.failReloads = 0
	h.clock = h.clock.Add(time.Minute)
	for _, o := range h.r.Converge(t.Context(), units) {
		if o.State != InSync {
			t.Errorf("%s is %s: %v", o.Rule, o.State, o.Err)
		}
	}
}

func TestHungCommandDelaysNoOther(t *testing.T) {
	h := testHost(t)
	release := make(chan struct{})
	run := h.r.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if c.Argv[0] == "check-slow" {
			<-release
			c.Argv = []string{"check"}
		}
		if c.Argv[0] == "reload-slow" {
			c.Argv = []string{"reload"}
		}
		return run(ctx, c)
	}
	h.approved["slow"] = true // these two services do not read each other's files
	slow, fast := h.unit("slow", h.file("slow.conf", "slow")), h.unit("fast", h.file("fast.conf", "fast"))
	slow.Check = checkBy(CheckSwap, "check-slow")
	slow.Reload = &command.Command{Argv: []string{"reload-slow"}}
	done := make(chan []Outcome)
	go func() { done <- h.r.Converge(context.Background(), []Unit{slow, fast}) }()
	applied := func(s Status) bool { return s.Rule == "fast" && !s.Applied.IsZero() }
	for !slices.ContainsFunc(h.r.Status(), applied) { // long before the pass ends
		time.Sleep(time.Millisecond)
	}
	h.expect("fast.conf", "fast")
	close(release)
	if diff := cmp.Diff([]State{InSync, InSync}, states(<-done)); diff != "" {
		t.Error(diff)
	}
}

func TestTwoRulesForOnePath(t *testing.T) {
	h := testHost(t)
	a, b := h.unit("a", h.file("x.conf", "a")), h.unit("b", h.file("x.conf", "b"))
	outs := h.r.Converge(t.Context(), []Unit{a, b})
	if diff := cmp.Diff([]State{InSync, Failed}, states(outs)); diff != "" {
		t.Error(diff)
	}
	matches(t, outs[1].Err, `^cannot write .*/x\.conf: rule a writes it too$`)
	h.converge(b, Failed)
	h.expect("x.conf", "a")
	// handed over: no orphan, no removal, one change
	h.converge(h.unit("a"), InSync)
	h.converge(b, InSync)
	h.expect("x.conf", "b")
	if files := h.status("a").Files; len(files) > 0 {
		t.Errorf("a still has %+v", files)
	}
}

func TestOrphans(t *testing.T) {
	for _, remove := range []bool{false, true} {
		h := testHost(t)
		with := func(files ...File) Unit {
			u := h.unit("web", files...)
			if remove {
				u.OnOrphan = OrphanRemove
			}
			return u
		}
		a, b, c := h.file("a.conf", "a"), h.file("b.conf", "b"), h.file("c.conf", "c")
		h.put("c.conf", "c") // not muster's doing
		h.converge(with(a, b, c), InSync)
		h.commands()
		out := h.converge(with(a), InSync)
		h.expect("c.conf", "c")
		orphan := func() []string {
			var list []string
			for _, f := range h.status("web").Files {
				if f.State == Orphaned {
					list = append(list, f.Path)
				}
			}
			return list
		}
		if remove {
			h.expect("b.conf", "")
			if diff := cmp.Diff([]string{h.path("b.conf")}, out.Changed); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
				t.Error(diff)
			}
			if got := orphan(); got != nil {
				t.Errorf("orphans %v", got)
			}
			continue
		}
		h.expect("b.conf", "b")
		if diff := cmp.Diff([]string{h.path("b.conf")}, orphan()); diff != "" || len(h.commands()) > 0 {
			t.Error(diff)
		}
		h.restart()
		h.converge(with(a), InSync)
		if diff := cmp.Diff([]string{h.path("b.conf")}, orphan()); diff != "" {
			t.Error(diff)
		}
		h.put("b.conf", "mine now")
		remove = true
		h.converge(with(a), InSync)
		h.expect("b.conf", "mine now")
	}
}

func TestOrphanRemovalIsATransaction(t *testing.T) {
	h := testHost(t)
	with := func(files ...File) Unit {
		u := h.unit("web", files...)
		u.OnOrphan = OrphanRemove
		return u
	}
	h.converge(with(h.file("a.conf", "a"), h.file("b.conf", "b")), InSync)
	h.converge(with(h.file("a.conf", "bad")), Failed)
	h.expect("b.conf", "b")
	h.converge(with(h.file("a.conf", "unloadable")), Failed)
	h.expect("b.conf", "b")
	h.converge(with(h.file("a.conf", "fine")), InSync)
	h.expect("b.conf", "")
	h.noLeftovers()
}

// Before a file is removed there is time for another rule to take it over.
func TestOrphanPatience(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.cfg.OrphanAfter = 0
	h.open()
	defer func() { h.r.Close() }()
	with := func(rule string, files ...File) Unit {
		u := h.unit(rule, files...)
		u.OnOrphan = OrphanRemove
		return u
	}
	a, b := h.file("a.conf", "a"), h.file("b.conf", "b")
	h.converge(with("one", a, b), InSync)
	out := h.converge(with("one"), InSync)
	if !out.Retry.Equal(h.clock.Add(DefaultOrphanAfter)) {
		t.Errorf("retry %v", out.Retry)
	}
	h.expect("a.conf", "a")
	h.commands()
	h.converge(with("two", b), InSync)
	h.clock = out.Retry
	out = h.converge(with("one"), InSync)
	h.expect("a.conf", "")
	h.expect("b.conf", "b")
	if diff := cmp.Diff([]string{h.path("a.conf")}, out.Changed); diff != "" {
		t.Error(diff)
	}
}

func TestForget(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("old", h.file("a.conf", "a")), InSync)
	h.r.Forget([]string{"old", "never heard of"})
	for range 2 {
		s := h.status("old")
		if s.State != Orphaned || len(s.Files) != 1 || s.Files[0].State != Orphaned {
			t.Errorf("status %+v", s)
		}
		h.restart()
	}
	h.expect("a.conf", "a")
	h.converge(h.unit("new", h.file("a.conf", "a")), InSync)
	if all := h.r.Status(); len(all) != 1 || all[0].Rule != "new" {
		t.Errorf("status %+v", all)
	}
	h.restart()
	h.converge(h.unit("new", h.file("a.conf", "a")), InSync)
	if all := h.r.Status(); len(all) != 1 {
		t.Errorf("status after a restart %+v", all)
	}
}

func TestGroups(t *testing.T) {
	one := func(check, reload string, staged bool) *pass {
		mode := CheckSwap
		if staged {
			mode = CheckStaged
		}
		return &pass{unit: &Unit{Check: &Check{Mode: mode}}, act: true, checkKey: check, reloadKey: reload}
	}
	passes := []*pass{
		one("c1", "r1", false), one("c2", "r2", false), one("c2", "r3", false), one("c9", "r3", true),
		one("c9", "r4", true), one("", "", false), one("c3", "r1", false), {unit: &Unit{}, checkKey: "c1", reloadKey: "r2"}, one("c1", "r4", false),
	}
	var got [][]int
	for _, g := range groups(passes) {
		var ids []int
		for _, p := range g {
			ids = append(ids, slices.Index(passes, p))
		}
		slices.Sort(ids)
		got = append(got, ids)
	}
	slices.SortFunc(got, slices.Compare)
	if diff := cmp.Diff([][]int{{0, 4, 6, 8}, {1, 2, 3}, {5}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMisuse(t *testing.T) {
	h := testHost(t)
	twice := h.unit("a", h.file("x", "1"), h.file("x", "2"))
	matches(t, h.converge(twice, Failed).Err, "the rule names it twice")
	relative := h.unit("a", File{Path: "etc/x"})
	matches(t, h.converge(relative, Failed).Err, `^cannot write "etc/x": a path must be absolute and clean$`)
	for name, units := range map[string][]Unit{
		"a rule twice": {h.unit("a"), h.unit("a")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			h.r.Converge(t.Context(), units)
		}()
	}
}
