package nodes

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/cluster"
)

// While nobody looks nobody is asked; a look starts it, and its lease ends it.
func TestAskedOnlyWhileSomebodyLooks(t *testing.T) {
	u := newUniverse("a", "b")
	within(t, u, nil, func(t *testing.T, b *Book) {
		time.Sleep(time.Hour)
		if n := u.count(); n != 0 {
			t.Fatalf("asked %d times though nobody looked", n)
		}
		began := time.Now()
		r := b.Look(t.Context(), 10*time.Second)
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("all had answered, and the look took %v", took)
		}
		if n := nodeOf(t, r, "b"); n.Load == nil || n.Load.CPUs != 4 || n.Phi == nil || n.Suspected || n.Rate == nil {
			t.Errorf("b is %+v", n)
		}
		time.Sleep(time.Hour)
		n := u.count() // in 30 s, each 4.5 to 5.5 s
		if n < 6 || n > 7 {
			t.Errorf("asked %d times for one look", n)
		}
		if r := b.Look(t.Context(), 0); nodeOf(t, r, "b").Age < 50*time.Minute || nodeOf(t, r, "b").Suspected {
			t.Errorf("after an hour of silence b is %+v", nodeOf(t, r, "b"))
		}
		synctest.Wait()
		if u.count() != n+1 {
			t.Errorf("a look after a pause asks %d times", u.count()-n)
		}
	})
}

// However many look, and however often, questions keep their distance, also
// across leases, and follow no common beat.
func TestQuestionsKeepTheirDistance(t *testing.T) {
	u := newUniverse("a", "b", "silent")
	u.answer["silent"] = nil
	within(t, u, func(c *Config) { c.Every, c.Lease = 2*time.Second, time.Second }, func(t *testing.T, b *Book) {
		for range 1000 {
			for range 5 {
				go b.Look(t.Context(), 3*time.Second)
			}
			time.Sleep(310 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		asked, gaps := u.times(), map[time.Duration]bool{}
		for i := range asked[1:] {
			gap := asked[i+1].Sub(asked[i])
			gaps[gap] = true
			if gap < 1800*time.Millisecond || gap > 2700*time.Millisecond {
				t.Errorf("%v between two questions", gap)
			}
		}
		if len(asked) < 120 || len(gaps) < 20 {
			t.Errorf("%d questions with %d different gaps", len(asked), len(gaps))
		}
	})
}

// One who never answers keeps nobody waiting for long, and is not suspected.
func TestSomeDoNotAnswer(t *testing.T) {
	u := newUniverse("a", "stock")
	u.answer["stock"] = nil
	within(t, u, nil, func(t *testing.T, b *Book) {
		began := time.Now()
		r := b.Look(t.Context(), 10*time.Second)
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("the look took %v", took)
		}
		if n := nodeOf(t, r, "stock"); n.Load != nil || n.Phi != nil || n.Age != 0 || n.Suspected {
			t.Errorf("one who never answered is %+v", n)
		}
		// Slow answers of the same round still count.
		u.do(func() { u.late["a"] = 3 * time.Second })
		time.Sleep(10 * time.Second)
		if n := nodeOf(t, b.Look(t.Context(), 0), "a"); n.Age > 6*time.Second {
			t.Errorf("an answer after 3 s is lost: %+v", n)
		}
	})
}

// A node that dies is suspected more and more, and one lost answer is no
// death.
func TestSuspicion(t *testing.T) {
	u := newUniverse("a", "b")
	within(t, u, nil, func(t *testing.T, b *Book) {
		look := func() Node { return nodeOf(t, b.Look(t.Context(), 0), "b") }
		for range 60 {
			look()
			time.Sleep(time.Second)
		}
		var last float64
		rounds := u.count()
		u.do(func() { u.answer["b"] = nil })
		for u.count() < rounds+2 { // one is lost
			n := look()
			if n.Suspected {
				t.Fatalf("one lost answer is φ %g", *n.Phi)
			}
			time.Sleep(100 * time.Millisecond)
		}
		u.do(func() { u.answer["b"] = idle })
		time.Sleep(6 * time.Second)
		if n := look(); *n.Phi > 1 {
			t.Errorf("b answers, and φ is %g", *n.Phi)
		}
		u.do(func() { u.answer["b"] = nil })
		time.Sleep(6 * time.Second)
		for range 60 {
			n := look()
			if *n.Phi < last {
				t.Fatalf("φ went from %g to %g in silence", last, *n.Phi)
			}
			last = *n.Phi
			time.Sleep(time.Second)
		}
		if n := look(); !n.Suspected || n.Status != cluster.Alive || *n.Phi < 50 {
			t.Errorf("after a minute b is %+v with φ %g; Serf's word must stay", n, *n.Phi)
		}
		// Nobody looks: no suspicion of those who are not asked.
		u.do(func() { u.answer["b"] = idle })
		time.Sleep(6 * time.Second)
		time.Sleep(time.Hour)
		if n := look(); n.Suspected {
			t.Errorf("after an hour in which nobody asked φ is %g", *n.Phi)
		}
	})
}

// What cannot be asked accuses nobody, is told, and is tried again.
func TestCannotAsk(t *testing.T) {
	u := newUniverse("a", "b")
	within(t, u, nil, func(t *testing.T, b *Book) {
		b.Look(t.Context(), time.Minute)
		u.do(func() { u.fail = errors.New("the node is out of the cluster") })
		for range 10 {
			time.Sleep(10 * time.Second)
			if r := b.Look(t.Context(), 0); r.Problem != "the node is out of the cluster" || nodeOf(t, r, "b").Suspected {
				t.Fatalf("problem %q, b %+v", r.Problem, nodeOf(t, r, "b"))
			}
		}
		u.do(func() { u.fail, u.delay = nil, 10*time.Second }) // and waits for its turn
		time.Sleep(20 * time.Second)
		for range 10 {
			r := b.Look(t.Context(), 0)
			if n := nodeOf(t, r, "b"); r.Problem != "" || n.Suspected || n.Age > 40*time.Second {
				t.Errorf("problem %q, b %+v", r.Problem, n)
			}
			time.Sleep(10 * time.Second)
		}
		asked := u.times()
		for i := range asked[1:] {
			if gap := asked[i+1].Sub(asked[i]); gap < 4500*time.Millisecond {
				t.Errorf("%v between two questions", gap)
			}
		}
	})
}

// What others say may be anything, and costs nothing for those who are no
// members.
func TestHostileAnswers(t *testing.T) {
	u := newUniverse("a", "b", "bad")
	u.answer["bad"] = func() string { return "\x1b[2J" + strings.Repeat("{", 900) }
	within(t, u, nil, func(t *testing.T, b *Book) {
		b.Look(t.Context(), time.Minute)
		for i := range 1000 {
			b.answer(cluster.Answer{From: fmt.Sprintf("nobody%d", i), Payload: []byte(idle())}, time.Now())
		}
		b.answer(cluster.Answer{From: "b", Ack: true}, time.Now().Add(time.Hour))
		r := b.Look(t.Context(), 0)
		if len(b.records) != 3 || len(r.Nodes) != 3 {
			t.Errorf("%d records, %d nodes", len(b.records), len(r.Nodes))
		}
		if n := nodeOf(t, r, "bad"); n.Load != nil || n.Problem != "cannot read a node's load: it is not the JSON of one" || n.Phi == nil {
			t.Errorf("one who talks rubbish is %+v", n)
		}
		// What was good before stays, with its age.
		u.do(func() { u.answer["b"] = func() string { return `{"v":99}` } })
		time.Sleep(20 * time.Second)
		if n := nodeOf(t, b.Look(t.Context(), 0), "b"); n.Load == nil || n.Age < 15*time.Second || !strings.Contains(n.Problem, "version 99") || n.Suspected {
			t.Errorf("b is %+v", n)
		}
	})
}

// How long a node has been in its state: events tell at once, looks find what
// no event tells; who is no member any more is forgotten.
func TestSince(t *testing.T) {
	u := newUniverse("a", "b", "c")
	within(t, u, nil, func(t *testing.T, b *Book) {
		event := func(kind, name string) {
			m, _ := u.View().Member(name)
			b.Hear(t.Context(), cluster.Event{Type: kind, Members: []cluster.Member{m}})
		}
		since := func(name string) (cluster.Status, time.Duration) {
			n := nodeOf(t, b.Look(t.Context(), 0), name)
			return n.Status, time.Since(n.Since)
		}
		for _, name := range []string{"a", "b", "c"} {
			event(cluster.EventJoin, name)
		}
		time.Sleep(time.Hour)
		event(cluster.EventFailed, "b") // told with the status of before
		u.status("b", cluster.Failed)
		time.Sleep(time.Minute)
		if s, d := since("b"); s != cluster.Failed || d != time.Minute {
			t.Errorf("b is %s for %v", s, d)
		}
		if s, d := since("a"); s != cluster.Alive || d != time.Hour+time.Minute {
			t.Errorf("a is %s for %v", s, d)
		}
		u.status("a", cluster.Leaving)
		since("a")
		event(cluster.EventUpdate, "a")
		time.Sleep(time.Second)
		if s, d := since("a"); s != cluster.Leaving || d != time.Second {
			t.Errorf("a is %s for %v", s, d)
		}
		u.status("a", cluster.Left)
		if n := nodeOf(t, b.Look(t.Context(), 0), "a"); n.Phi != nil {
			t.Errorf("one who left is suspected: φ %g", *n.Phi)
		}
		event(cluster.EventReap, "c")
		u.do(func() { u.view.Members = u.view.Members[:2] })
		b.Look(t.Context(), 0)
		if len(b.records) != 2 {
			t.Errorf("%d records of 2 members", len(b.records))
		}
		// Names that come and go, and that nobody looks at.
		for i := range 10_000 {
			b.Hear(t.Context(), cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{{Name: fmt.Sprint(i)}}})
		}
		if len(b.records) > 32 {
			t.Errorf("%d records of 2 members", len(b.records))
		}
	})
}
