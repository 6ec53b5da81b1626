package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var epoch = time.Unix(1_700_000_000, 0)

func after(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// names makes "a,b" a list.
func names(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func TestGuard(t *testing.T) {
	half := Guard{MinMembers: 1, MaxLoss: 0.5, Hold: time.Minute}
	type at map[string]int // since when members are missing, in seconds
	tests := []struct {
		name    string
		guard   Guard
		applied string
		missed  at
		desired string
		alone   bool
		doubt   bool
		failed  string
		drained string
		now     int
		held    bool
		until   int // 0: never
		why     string
	}{
		{name: "first", guard: half, desired: "a"},
		{name: "first and empty", guard: half, held: true, why: "0 members, fewer than min_members = 1"},
		{name: "empty allowed", guard: Guard{MaxLoss: 1}, applied: "a", missed: at{"a": 0}},
		{name: "too few", guard: Guard{MinMembers: 2, MaxLoss: 1}, applied: "a,b", missed: at{"b": 0}, desired: "a",
			held: true, why: "1 member, fewer than min_members = 2"},
		{name: "gain", guard: half, applied: "a", desired: "a,b,c,d"},
		{name: "half is not more than half", guard: half, applied: "a,b,c,d", missed: at{"a": 0, "b": 0}, desired: "c,d"},
		{name: "more than half", guard: half, applied: "a,b,c,d", missed: at{"a": 0, "b": 0, "c": 3}, desired: "d", now: 5,
			held: true, until: 60, why: "3 of 4 members gone (75 %), more than max_loss = 50% (a, b, c)"},
		{name: "believed after hold", guard: half, applied: "a,b,c,d", missed: at{"a": 0, "b": 0, "c": 3}, desired: "d", now: 60},
		{name: "a new loss while held is no older than it is", guard: half, applied: "a,b,c,d", missed: at{"a": 0, "b": 0, "c": 50, "d": 50}, now: 60,
			held: true, until: 110, desired: "x", why: "2 of 2 members gone (100 %), more than max_loss = 50% (a, b, c, d)"},
		{name: "drip: what went before counts", guard: half, applied: "c,d,e", missed: at{"a": 0, "b": 20, "c": 40}, desired: "d,e", now: 40,
			held: true, until: 60, why: "3 of 5 members gone (60 %), more than max_loss = 50% (c)"},
		{name: "hold 0 is for ever", guard: Guard{MaxLoss: 0.5}, applied: "a,b,c", missed: at{"a": 0, "b": 0}, desired: "c", now: 100000,
			held: true, why: "2 of 3 members gone (66 %), more than max_loss = 50% (a, b)"},
		{name: "no limit", guard: Guard{MinMembers: 1, MaxLoss: 1, Hold: time.Minute}, applied: "a,b,c", missed: at{"a": 0, "b": 0}, desired: "c"},
		{name: "none may go", guard: Guard{MaxLoss: 0, Hold: time.Minute}, applied: "a,b", missed: at{"a": 0}, desired: "b",
			held: true, until: 60, why: "1 of 2 members gone (50 %), more than max_loss = 0% (a)"},
		{name: "alone", guard: Guard{MaxLoss: 1}, applied: "a,b", missed: at{"a": 0}, desired: "b", alone: true, now: 7200,
			held: true, why: "this node is alone: 1 member would go (a)"},
		{name: "alone, and one more", guard: Guard{MaxLoss: 1}, applied: "a", desired: "a,b", alone: true},
		{name: "alone, and it was believed long ago", guard: half, applied: "a,b", missed: at{"a": 0}, desired: "b", alone: true, now: 7200,
			held: true, why: "this node is alone: 1 member would go (a)"},
		{name: "doubt", guard: Guard{MaxLoss: 1, Hold: time.Minute}, applied: "a,b,c", missed: at{"a": 0, "b": 10}, desired: "c", doubt: true, failed: "b", now: 20,
			held: true, until: 70, why: "this node may itself be cut off: the failure of 1 member is doubted (b)"},
		{name: "doubt, but it left", guard: Guard{MaxLoss: 1, Hold: time.Minute}, applied: "a,b", missed: at{"a": 0}, desired: "b", doubt: true},
		{name: "doubt ends", guard: Guard{MaxLoss: 1, Hold: time.Minute}, applied: "a,b", missed: at{"a": 0}, desired: "b", doubt: true, failed: "a", now: 60},
		{name: "doubt without hold ends too", guard: Guard{MaxLoss: 1}, applied: "a,b", missed: at{"a": 0}, desired: "b", doubt: true, failed: "a", now: 59,
			held: true, until: 60, why: "this node may itself be cut off: the failure of 1 member is doubted (a)"},
		{name: "the later of two reasons", guard: half, applied: "a,b,c", missed: at{"a": 0, "b": 0, "c": 30}, desired: "x", doubt: true, failed: "c", now: 30,
			held: true, until: 90, why: "3 of 3 members gone (100 %), more than max_loss = 50% (a, b, c)"},
		{name: "drained is not lost", guard: half, applied: "a,b,c", desired: "c", drained: "a,b"},
		{name: "drained, and none may be lost", guard: Guard{MinMembers: 1, Hold: time.Minute}, applied: "a,b", desired: "b", drained: "a"},
		{name: "drained to the last", guard: half, applied: "a,b", drained: "a,b",
			held: true, why: "0 members, fewer than min_members = 1; draining: a, b"},
		{name: "drained beside a loss", guard: half, applied: "a,b,c,d", missed: at{"b": 0, "c": 0}, desired: "d", drained: "a", now: 5,
			held: true, until: 60, why: "2 of 3 members gone (66 %), more than max_loss = 50% (a, b, c)"},
		{name: "draining members that stay are members", guard: half, applied: "a,b,c", missed: at{"c": 0}, desired: "a,b", drained: "a,b"},
		{name: "drained, alone", guard: Guard{MaxLoss: 1}, applied: "a", drained: "a", alone: true,
			held: true, why: "this node is alone: 1 member would go (a)"},
		{name: "odd names are quoted", guard: Guard{MaxLoss: 1}, applied: "a\nb,c", missed: at{"a\nb": 0}, desired: "c", alone: true,
			held: true, why: `this node is alone: 1 member would go ("a\nb")`},
	}
	for _, test := range tests {
		ref := reference{applied: names(test.applied), missed: map[string]time.Time{}}
		for name, s := range test.missed {
			ref.missed[name] = after(s)
		}
		failed, drained := map[string]bool{}, map[string]bool{}
		for _, name := range names(test.failed) {
			failed[name] = true
		}
		for _, name := range names(test.drained) {
			drained[name] = true
		}
		before := ref.clone()
		v := test.guard.judge(ref, question{names(test.desired), test.alone, test.doubt, failed, drained, after(test.now)})
		if v.Held != test.held || v.Why != test.why {
			t.Errorf("%s: held %v: %s\nwant %v: %s", test.name, v.Held, v.Why, test.held, test.why)
		}
		if until := (map[bool]time.Time{true: after(test.until)})[test.until > 0]; !v.Until.Equal(until) {
			t.Errorf("%s: until %v, want %v", test.name, v.Until, until)
		}
		if diff := cmp.Diff(before, ref, cmp.AllowUnexported(reference{})); diff != "" {
			t.Errorf("%s: the guard changed the reference\n%s", test.name, diff)
		}
	}
}

// Who was drained is not missed, neither at once nor when its node goes later.
func TestDrainedAreNotMissed(t *testing.T) {
	guard := Guard{MinMembers: 1, MaxLoss: 0.25, Hold: time.Minute}
	ref := reference{applied: names("a,b,c"), missed: map[string]time.Time{"b": epoch}} // b failed, and drains now
	drained := map[string]bool{"a": true, "b": true}
	ref.look(names("c"), names("a,b"), drained, guard.Hold, epoch)
	if v := guard.judge(ref, question{Desired: names("c"), Drained: drained, Now: epoch}); v.Held || len(ref.missed) != 0 {
		t.Errorf("held %v: %s; missed %v", v.Held, v.Why, ref.missed)
	}
	ref.applied = names("c")
	ref.look(names("c"), nil, nil, guard.Hold, epoch)
	if len(ref.missed) != 0 {
		t.Errorf("missed %v", ref.missed)
	}
}

// The times at which a guard lets go are as it says: until Until it holds, from
// then on it does not.
func TestGuardKeepsItsWord(t *testing.T) {
	all := names("a,b,c,d,e,f,g,h")
	rapid.Check(t, func(t *rapid.T) {
		guard := Guard{MinMembers: 0, MaxLoss: rapid.SampledFrom([]float64{0, 0.25, 0.5, 0.9, 1}).Draw(t, "max"), Hold: time.Minute}
		var ref reference
		now := epoch
		for range rapid.IntRange(1, 8).Draw(t, "passes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "wait")) * time.Second)
			var desired []string
			for _, name := range all {
				if rapid.Bool().Draw(t, name) {
					desired = append(desired, name)
				}
			}
			q := question{Desired: desired, Doubt: rapid.Bool().Draw(t, "doubt"), Failed: map[string]bool{"a": true, "b": true}, Now: now}
			_, lost := diffNames(ref.applied, desired)
			ref.look(desired, lost, nil, guard.Hold, now)
			v := guard.judge(ref, q)
			if !v.Held {
				ref.applied = desired
				continue
			}
			if !v.Until.After(now) || v.Until.Sub(now) > guard.Hold {
				t.Fatalf("held at %v until %v", now, v.Until)
			}
			for _, at := range []time.Duration{-1, 0} {
				later := ref.clone()
				q.Now = v.Until.Add(at)
				later.look(desired, lost, nil, guard.Hold, q.Now)
				if got := guard.judge(later, q); got.Held != (at < 0) {
					t.Fatalf("%v from its end at %v: held %v (%s)\nfirst: %s", at, v.Until, got.Held, got.Why, v.Why)
				}
			}
		}
	})
}

func TestDiffNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.Custom(func(t *rapid.T) []string {
			list := rapid.SliceOfDistinct(rapid.StringMatching("[a-f]{1,2}"), rapid.ID).Draw(t, "set")
			slices.Sort(list)
			return list
		})
		a, b := set.Draw(t, "a"), set.Draw(t, "b")
		gained, lost := diffNames(a, b)
		rest := slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(lost, s) })
		if got := merge(rest, gained); !slices.Equal(got, b) {
			t.Fatalf("%v + %v - %v = %v, want %v", a, gained, lost, got, b)
		}
	})
}

// members makes a unit depend on members.
func (u Unit) members(list string, g Guard) Unit {
	u.Static, u.Members, u.Guard = false, names(list), g
	return u
}

func TestHeldAndReleased(t *testing.T) {
	h := testHost(t)
	guard := Guard{MinMembers: 1, MaxLoss: 0.5, Hold: time.Minute}
	with := func(members string) Unit {
		return h.unit("web", h.file("web.conf", "servers "+members)).members(members, guard)
	}
	h.converge(with(""), Held)
	h.expect("web.conf", "")
	h.converge(with("a,b,c,d"), InSync)
	out := h.converge(with("a"), Held)
	if diff := cmp.Diff(names("b,c,d"), out.Lost); diff != "" || !out.Retry.Equal(h.clock.Add(time.Minute)) {
		t.Errorf("retry %v, lost %s", out.Retry, diff)
	}
	h.expect("web.conf", "servers a,b,c,d")
	if s := h.status("web"); s.State != Held || !s.Since.Equal(h.clock) || !s.Guard.Until.Equal(out.Retry) || !strings.HasPrefix(s.Why, "3 of 4 members gone") {
		t.Errorf("status %+v", s)
	}
	h.clock = h.clock.Add(30 * time.Second)
	h.restart() // the hold begins anew: nobody knows what happened meanwhile
	out = h.converge(with("a"), Held)
	h.clock = out.Retry
	out = h.converge(with("a"), InSync)
	h.expect("web.conf", "servers a")
	if diff := cmp.Diff(names("b,c,d"), out.Lost); diff != "" {
		t.Error(diff)
	}
	// and back at once
	h.converge(with("a,b,c,d"), InSync)
	h.converge(with("a,b,c"), InSync)
	h.clock = h.clock.Add(10 * time.Second)
	h.restart() // a drip over a restart is one loss, too
	h.converge(with("a,b"), InSync)
	h.converge(with("a"), Held)
	u := with("a")
	u.Override = true
	h.converge(u, InSync)
	h.expect("web.conf", "servers a")
	// what was overridden is believed: the next loss is measured afresh
	h.converge(with("a,x,y,z"), InSync)
	h.converge(with("a,x"), InSync)
}

func TestAloneForAnHour(t *testing.T) {
	h := testHost(t)
	guard := Guard{MinMembers: 0, MaxLoss: 1, Hold: time.Minute}
	with := func(members string, alone bool) Unit {
		u := h.unit("web", h.file("web.conf", "servers "+members)).members(members, guard)
		u.Alone = alone
		return u
	}
	h.converge(with("a,b", false), InSync)
	for minute := range 60 {
		h.clock = h.clock.Add(time.Minute)
		if minute == 30 {
			h.restart()
		}
		if out := h.converge(with("", true), Held); !out.Retry.IsZero() {
			t.Fatalf("retry %v", out.Retry)
		}
	}
	h.expect("web.conf", "servers a,b")
	h.converge(with("a,b", false), InSync)
	h.converge(with("b", false), InSync)
	h.expect("web.conf", "servers b")
}

// A file of a for_each that went with its members is part of the loss: while
// the guard holds it is not removed, and the loss is not taken for granted.
func TestOrphansOfALossAreHeld(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.cfg.OrphanAfter = 0
	h.open()
	defer func() { h.r.Close() }()
	lb, web := h.file("lb", "self"), h.file("web", "a,b")
	with := func(members string, alone bool, files ...File) Unit {
		u := h.unit("roles", files...).members(members, Guard{MaxLoss: 1, Hold: time.Minute})
		u.OnOrphan, u.Alone = OrphanRemove, alone
		return u
	}
	h.converge(with("a,b,self", false, lb, web), InSync)
	for range 3 {
		h.converge(with("self", true, lb), Held)
		h.clock = h.clock.Add(time.Hour)
	}
	h.expect("web", "a,b")
	out := h.converge(with("self", false, lb), InSync) // not alone any more
	h.clock = h.clock.Add(DefaultOrphanAfter)
	if out.Retry.IsZero() && len(out.Changed) == 0 {
		t.Error("nobody will look again")
	}
	h.converge(with("self", false, lb), InSync)
	h.expect("web", "")
}

func TestStaticIsNeverHeld(t *testing.T) {
	h := testHost(t)
	u := h.unit("motd", h.file("motd", "hello"))
	u.Guard = Guard{MinMembers: 3, Hold: time.Minute}
	u.Alone = true
	h.converge(u, InSync)
	h.expect("motd", "hello")
}

// Who was left out has not gone: that there are too few may be the template's fault.
func TestHeldForThoseLeftOut(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("web.conf", "none")).members("", Guard{MinMembers: 1, MaxLoss: 1})
	u.LeftOut = 2
	out := h.converge(u, Held)
	if got, want := out.Verdict.Why, "0 members, fewer than min_members = 1; 2 members left out"; got != want {
		t.Errorf("why: %s\nwant %s", got, want)
	}
}

// A debt of the files that a guard keeps is paid all the same.
func TestDebtWhileHeld(t *testing.T) {
	h := testHost(t)
	guard := Guard{MinMembers: 1, MaxLoss: 1}
	h.converge(h.unit("web", h.file("web.conf", "a")).members("a", guard), InSync)
	h.failReloads = 2
	h.converge(h.unit("web", h.file("web.conf", "a b")).members("a,b", guard), Owed)
	h.commands()
	h.clock = h.clock.Add(time.Minute)
	h.converge(h.unit("web", h.file("web.conf", "none")).members("", guard), Held)
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
		t.Error(diff)
	}
	h.expect("web.conf", "a")
	h.converge(h.unit("web", h.file("web.conf", "none")).members("", guard), Held)
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v", ran)
	}
}

// Members that come and go without any file changing are remembered.
func TestMembersWithoutChange(t *testing.T) {
	h := testHost(t)
	guard := Guard{MaxLoss: 0.5, Hold: time.Minute}
	with := func(text, members string) Unit { return h.unit("n", h.file("n", text)).members(members, guard) }
	h.converge(with("fixed", "a,b"), InSync)
	h.converge(with("fixed", "a,b,c,d,e,f"), InSync)
	h.restart()
	h.converge(with("changed", "a,b"), Held)
	if diff := cmp.Diff(names("a,b,c,d,e,f"), h.status("n").Members); diff != "" {
		t.Error(diff)
	}
}

func TestSomeNames(t *testing.T) {
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint("n", i))
	}
	if got, want := some(many), "n0, n1, n2, n3, n4, n5, n6, n7, and 4 more"; got != want {
		t.Errorf("got %s", got)
	}
}
