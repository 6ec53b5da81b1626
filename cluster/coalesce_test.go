package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

// event reads "join a b=tag" or "user NAME LTIME [coalesce]".
func event(text string) cluster.Event {
	words := strings.Fields(text)
	if words[0] == "user" || words[0] == "query" {
		e := cluster.Event{Type: words[0], Name: words[1], Coalesce: len(words) > 3}
		fmt.Sscan(words[2], &e.LTime)
		return e
	}
	e := cluster.Event{Type: "member-" + words[0]}
	status := map[string]cluster.Status{
		"join": cluster.Alive, "update": cluster.Alive, "leave": cluster.Left, "failed": cluster.Failed, "reap": cluster.Left,
	}[words[0]]
	for _, w := range words[1:] {
		name, tag, _ := strings.Cut(w, "=")
		e.Members = append(e.Members, cluster.Member{Name: name, Status: status, Tags: map[string]string{"v": tag}})
	}
	return e
}

// text is event's inverse.
func text(e cluster.Event) string {
	if e.Type == cluster.EventUser || e.Type == cluster.EventQuery {
		return fmt.Sprint(e.Type, " ", e.Name, " ", e.LTime)
	}
	out := strings.TrimPrefix(e.Type, "member-")
	for _, m := range e.Members {
		out += " " + strings.TrimSuffix(m.Name+"="+m.Tags["v"], "=")
	}
	return out
}

// What is heard at once, separated by commas, window after window separated
// by bars, and what is told of each.
func TestCoalescer(t *testing.T) {
	for _, c := range []struct{ name, heard, told string }{
		{"one event of a type", "join b, join a, failed d, join c", "join a b c, failed d"},
		{"a new member that changes has joined", "join a, update a=2", "join a=2"},
		{"whatever else it goes through", "join a, failed a, join a=2, update a=3", "join a=3"},
		{"an update of one known is one", "join a | update a=2, update a=3", "join a | update a=3"},
		{"an update of one unknown is one", "update a=2", "update a=2"},
		{"an update is told once", "join a | update a=2 | join b | join c", "join a | update a=2 | join b | join c"},
		{"a flap is nothing", "join a | failed a, join a", "join a | "},
		{"unless it comes back different", "join a | failed a, join a=2", "join a | update a=2"},
		{"a flap the other way is nothing", "join a | failed a | join a, failed a", "join a | failed a | "},
		{"a failure that becomes a leave", "join a | failed a | leave a", "join a | failed a | leave a"},
		{"a return", "join a | failed a | join a", "join a | failed a | join a"},
		{"a return with a change", "join a | failed a | join a, update a=2", "join a | failed a | join a=2"},
		{"what is the same is not told", "join a | join a | failed a | failed a", "join a |  | failed a | "},
		{"the last counts", "join a | update a=2, leave a=2", "join a | leave a=2"},
		{"a new one that fails at once has failed", "join a, failed a", "failed a"},
		{"a reaped one is new again", "join a | failed a | reap a | join a", "join a | failed a | reap a | join a"},
		{"the latest user event of a name", "user x 3 c, user x 5 c, user x 4 c, user y 1 c", "user x 5, user y 1"},
		{"two of one time are two", "user x 3 c, user x 3 c", "user x 3, user x 3"},
		{"user events are forgotten", "user x 3 c | user x 2 c", "user x 3 | user x 2"},
		{"all else passes at once, in order", "user x 2, query y 1, user x 1", "user x 2, query y 1, user x 1"},
		{"before what is held back", "join a, user x 1", "user x 1, join a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var co cluster.Coalescer
			now := time.Now()
			var told []string
			for window := range strings.SplitSeq(c.heard, "|") {
				var events []string
				for heard := range strings.SplitSeq(window, ",") {
					e := event(heard)
					if !co.Add(e, now) {
						events = append(events, text(e))
					}
				}
				if early := co.Flush(now.Add(cluster.CoalesceQuiet - 1)); len(early) > 0 {
					t.Errorf("told early: %v", early)
				}
				for _, e := range co.Flush(now.Add(cluster.CoalesceQuiet)) {
					events = append(events, text(e))
				}
				told = append(told, strings.Join(events, ", "))
				if !co.Due().IsZero() {
					t.Error("there is something left")
				}
				now = now.Add(time.Minute)
			}
			if got := strings.Join(told, " | "); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
		})
	}
}

// However events fall into windows, whoever hears what was told knows in the
// end what whoever heard it all knows; each window tells of a member once.
func TestCoalescerTellsTheEnd(t *testing.T) {
	const some = 100 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		raw, told := map[string]string{}, map[string]string{}
		learn := func(known map[string]string, e cluster.Event) {
			for _, m := range e.Members {
				known[m.Name] = fmt.Sprint(m.Status, m.Tags["v"])
				if e.Type == cluster.EventReap {
					delete(known, m.Name)
				}
			}
		}
		var co cluster.Coalescer
		now := time.Now()
		flush := func() {
			seen := map[string]bool{}
			for _, e := range co.Flush(now) {
				learn(told, e)
				for _, m := range e.Members {
					if seen[m.Name] {
						t.Fatalf("%s twice in one flush", m.Name)
					}
					seen[m.Name] = true
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			kind := rapid.SampledFrom([]string{"join", "update", "leave", "failed", "reap"}).Draw(t, "kind")
			e := event(fmt.Sprint(kind, " ", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
				"=", rapid.IntRange(0, 2).Draw(t, "tag")))
			if kind == "failed" || kind == "leave" || kind == "reap" {
				// The dead do not change.
				e.Members[0].Tags = map[string]string{"v": ""}
			}
			learn(raw, e)
			if !co.Add(e, now) {
				t.Fatalf("%v is not held back", e)
			}
			if due := co.Due(); due.Before(now) || due.After(now.Add(cluster.CoalesceQuiet)) {
				t.Fatalf("due in %v", due.Sub(now))
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 15).Draw(t, "pause")) * some)
			flush()
		}
		now = now.Add(time.Minute)
		flush()
		if diff := cmp.Diff(raw, told); diff != "" {
			t.Fatalf("knowledge (-raw +told):\n%s", diff)
		}
	})
}

// A storm is told every three seconds, and a second after its end.
func TestCoalescerTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, began := make(chan cluster.Event), time.Now()
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			new(cluster.Coalescer).Run(t.Context(), in, func(e cluster.Event) {
				got = append(got, fmt.Sprint(time.Since(began), " ", text(e)))
			})
		}()
		for i := range 10 { // 0, 0.4 … 3.6 s
			in <- event(fmt.Sprintf("join m%d", i))
			if i == 1 {
				in <- event("user now 1")
				in <- event("user late 2 coalesce")
			}
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		in <- event("join last")
		close(in)
		<-done
		want := []string{
			"400ms user now 1", "1.4s user late 2", "3s join m0 m1 m2 m3 m4 m5 m6 m7", "4.6s join m8 m9", "9s join last",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// What is held back is told when the context ends.
func TestCoalescerEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := make(chan cluster.Event), make(chan cluster.Event, 1)
	go func() {
		new(cluster.Coalescer).Run(ctx, in, func(e cluster.Event) { out <- e })
		close(out)
	}()
	in <- event("join a")
	cancel()
	if got := text(<-out); got != "join a" {
		t.Errorf("told %q at the end", got)
	}
	if e, open := <-out; open {
		t.Errorf("told %q after the end", text(e))
	}
}
