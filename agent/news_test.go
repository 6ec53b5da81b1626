package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/timeline"
)

// A watched is a host with a timeline.
type watched struct {
	*host
	past   *timeline.Log
	events chan cluster.Event
	seen   uint64
}

func newWatched(t *testing.T, v *village, rule string) *watched {
	t.Helper()
	w := &watched{host: &host{t: t, village: v, dir: t.TempDir()}, past: timeline.New(500), events: make(chan cluster.Event)}
	w.mkdir("rules")
	w.write("rules/rule.hcl", rule)
	cfg := quiet(w.host)
	cfg.Timeline, cfg.Events = w.past, w.events
	w.startWith(cfg)
	return w
}

// told fails unless these lines, of these kinds, have come since the last time.
func (w *watched) told(want ...string) {
	w.t.Helper()
	time.Sleep(10 * time.Second)
	w.rest()
	var got []string
	for _, e := range w.past.After(w.seen, 0) {
		w.seen = e.ID
		line := string(e.Kind) + " " + strings.ReplaceAll(e.Text, w.dir, "DIR")
		if e.Rule != "" {
			line = e.Rule + " " + line
		}
		if e.Node != "" {
			line = e.Node + " " + line
		}
		if e.Bad {
			line = "! " + line
		}
		if e.Left {
			line = "- " + line
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Fatalf("told (-want +got):\n%s", diff)
	}
}

func TestTimelineTellsOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, newVillage(), ``)
		w.told("agent 0 rules loaded", "agent settled: 1 member known: 1 alive", "agent alone: no other node is alive")

		moved, tagged, drained := a, b, b
		moved.Addr = netip.MustParseAddr("127.0.0.99")
		tagged.Tags = map[string]string{"role": "db", "zone": "x"}
		drained.Tags = map[string]string{"role": "db", "zone": "x", cluster.DrainTag: "yes"}
		leaving, left := b, b
		leaving.Status, left.Status = cluster.Leaving, cluster.Left
		for _, step := range []struct {
			now  []cluster.Member
			want []string
		}{
			{[]cluster.Member{a, b}, []string{"a member a joined", "b member b joined", "agent no longer alone"}},
			{[]cluster.Member{failedNode(a), b}, []string{"! a member a failed"}},
			{[]cluster.Member{a, b}, []string{"a member a is back"}},
			{[]cluster.Member{moved, tagged}, []string{"b member b changed its tags: role, zone", "a member a moved to 127.0.0.99:7946"}},
			{[]cluster.Member{moved, drained}, []string{"b member b drains"}},
			{[]cluster.Member{moved, tagged}, []string{"b member b drains no more"}},
			{[]cluster.Member{moved, leaving}, []string{"b member b is leaving", "b member b changed its tags: role, zone"}},
			{[]cluster.Member{moved, left}, []string{"- b member b left"}},
			{[]cluster.Member{failedNode(moved)}, []string{"! a member a failed", "- b member b had left, and was forgotten", "! agent alone: no other node is alive"}},
		} {
			w.set(step.now...)
			w.told(step.want...)
		}
		w.change(func(v *cluster.View) { v.Doubt = 2 })
		w.told("! agent this node may be cut off: others do not answer it as they should")
		w.change(func(v *cluster.View) { v.Doubt = 0 })
		w.told("agent the others answer this node again")

		// What is not settled tells nothing; once it is, what is different.
		w.change(func(v *cluster.View) { v.Settled, v.Members = false, v.Members[:1] })
		w.told("agent joining: waiting until the membership has settled")
		w.set(moved)
		w.told("a member a is back", "agent no longer alone")
		w.change(func(v *cluster.View) { v.At = v.At.Add(time.Second) })
		w.told()
	})
}

// A thousand who join one by one within a moment are one line, and so are those
// who fail at once; a few have a line each.
func TestManyMembersAreOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, newVillage(a), ``)
		w.told("agent 0 rules loaded", "agent settled: 2 members known: 2 alive")
		members := []cluster.Member{a}
		for i := range 1000 {
			members = append(members, node(fmt.Sprintf("m%04d", i), 9, "web"))
			w.set(members...)
			time.Sleep(time.Millisecond)
		}
		w.told("member 1000 members joined: m0000, m0001, m0002 and 997 more")
		for i := range members[:10] {
			members[i].Status = cluster.Failed
		}
		w.set(members...)
		w.told("! member 10 members failed: a, m0000, m0001 and 7 more")
		for i := range members[10:20] {
			members[10+i].Status = cluster.Left
		}
		w.set(members...)
		w.told("- member 10 members left: m0009, m0010, m0011 and 7 more")
		w.set(members[:995]...)
		w.told("! m0994 member m0994 was forgotten", "! m0995 member m0995 was forgotten", "! m0996 member m0996 was forgotten",
			"! m0997 member m0997 was forgotten", "! m0998 member m0998 was forgotten", "! m0999 member m0999 was forgotten")

		// A storm without an end is told of all the same.
		for i := range 100 {
			members[0].Tags = map[string]string{"version": fmt.Sprint(i)}
			w.set(members[:995]...)
			time.Sleep(newsQuiet / 2)
		}
		if n := w.past.Last() - w.seen; n == 0 || n > 20 {
			t.Errorf("%d lines in 15 s", n)
		}
	})
}

func TestTimelineTellsOfRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b)
		w := newWatched(t, v, rule(`
  check = ["sh", "-c", "cat ${DIR}/out; test ! -e ${DIR}/bad"]
  guard {
    min_members = 1
    hold        = "1h"
  }`))
		w.told("agent 1 rule loaded", "agent settled: 3 members known: 3 alive", "web rule applied: DIR/out changed; gained a, b")
		v.set(a, b, node("c", 4, "web"))
		w.told("c member c joined", "web rule applied: DIR/out changed; gained c")

		// A check that fails, again and again, is one line, without its output.
		w.write("bad", "")
		v.set(a, b)
		w.told("! c member c was forgotten", "! web rule failed, the old files are in place: check sh -c 'cat DIR/out; test ! -e DIR/bad': exit status 1")
		time.Sleep(time.Hour)
		w.told()
		change, err := w.LastChange(t.Context(), "web")
		if err != nil || !change.RolledBack || len(change.Lost) != 1 || !strings.Contains(change.Files[0].Diff, "-a b c") {
			t.Errorf("%v: %+v", err, change)
		}
		if s := w.state("web"); s.Check == nil || !strings.Contains(s.Check.Output, "a b") {
			t.Errorf("the check's output: %+v", s.Check)
		}

		// Nobody is left: held.
		v.set(failedNode(a), failedNode(b))
		time.Sleep(time.Minute)
		w.rest()
		found := false
		for _, e := range w.past.After(w.seen, 0) {
			w.seen = e.ID
			found = found || e.Kind == timeline.Rule && e.Rule == "web" && e.Bad && strings.HasPrefix(e.Text, "held: ")
		}
		if !found {
			t.Errorf("that it is held is not told: %+v", w.past.After(0, 0))
		}

		// Rules that are mended, mistaken, and gone.
		w.write("rules/rule.hcl", `rule "web" { nonsense = 1 }`)
		if _, err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := w.past.After(w.seen, 0)
		if n := len(got); n < 2 || got[n-1].Text != "rules not loaded: those in force stay in force" || !got[n-1].Bad || !strings.HasPrefix(got[0].Text, "rule.hcl:1: ") {
			t.Errorf("of a mistake is told %+v", got)
		}
		w.seen = w.past.Last()
		w.write("rules/rule.hcl", "")
		if _, err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.told("agent rules are gone: web", "agent 0 rules loaded again")
		if _, err := w.LastChange(t.Context(), "web"); !errors.Is(err, ErrUnknown) {
			t.Errorf("the last change of a rule that is gone: %v", err)
		}
	})
}

// Events are told by name and size; a flood of them leaves the rest alone.
func TestTimelineTellsOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, newVillage(a), ``)
		w.told("agent 0 rules loaded", "agent settled: 2 members known: 2 alive")
		for _, e := range []cluster.Event{
			{Type: cluster.EventUser, Name: "deploy", Payload: []byte("s3cret")},
			{Type: cluster.EventUser, Name: "two\nlines", Payload: []byte("x")},
			{Type: cluster.EventQuery, Name: "uptime", From: "a"},
			{Type: cluster.EventQuery, Name: cluster.OwnQuery + "load", From: "a"},
			{Type: cluster.EventJoin, Members: []cluster.Member{a}},
		} {
			w.events <- e
		}
		w.told("event user event deploy, 6 bytes", `event user event two\nlines, 1 byte`, "a event query uptime, 0 bytes")
		for range 5000 {
			w.events <- cluster.Event{Type: cluster.EventUser, Name: "flood"}
		}
		w.rest()
		all := w.past.After(0, 0)
		if len(all) != 500 || all[0].Text != "0 rules loaded" {
			t.Errorf("of %d entries the oldest is %+v", len(all), all[0])
		}
	})
}

// A rule that acts changes no file.
func TestLastChangeOfARuleThatActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, newVillage(a), `
rule "deploy" {
  on = ["user:deploy"]
  run { command = ["true"] }
}`)
		if c, err := w.LastChange(t.Context(), "deploy"); err != nil || !c.At.IsZero() || c.Rule != "deploy" {
			t.Errorf("%v: %+v", err, c)
		}
		if _, err := w.LastChange(t.Context(), "none"); !errors.Is(err, ErrUnknown) {
			t.Errorf("of no rule: %v", err)
		}
	})
}
