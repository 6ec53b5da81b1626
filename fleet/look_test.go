package fleet

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/agent"
	"muster/cluster"
)

// A town is a cluster whose nodes answer as a test wants it to.
type town struct {
	mu    sync.Mutex
	view  cluster.View
	mute  map[string]int // how many questions a node of muster's lets pass; -1: all, it is Serf's own
	deaf  map[string]int // how many do not even reach it
	asked [][]string     // whom each question was for; nil: everybody
	open  int
	fail  error
	say   string
}

func newTown(names ...string) *town {
	w := &town{mute: map[string]int{}, deaf: map[string]int{}, say: `{"v":1,"n":{"in-sync":1}}`}
	w.view = cluster.View{Self: names[0], Settled: true}
	for _, name := range names {
		w.view.Members = append(w.view.Members, cluster.Member{Name: name, Status: cluster.Alive})
	}
	cluster.SortMembers(w.view.Members)
	return w
}

func (w *town) fleet(t *testing.T) *Fleet {
	f, err := New(Config{
		View: func() cluster.View { return w.view }, Ask: w.ask,
		Standing: func(context.Context, []string) (agent.Standing, error) { return agent.Standing{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (w *town) ask(_ context.Context, q cluster.Query) (Answers, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return nil, w.fail
	}
	if q.Name != Query || !q.Ack || w.open > 0 {
		return nil, errors.New("it asks as it should not")
	}
	w.asked = append(w.asked, q.Nodes)
	w.open++
	s := &stream{w: w, over: time.Now().Add(q.Timeout), missing: map[string]bool{}}
	for _, m := range w.view.Members {
		if m.Status != cluster.Alive || q.Nodes != nil && !slices.Contains(q.Nodes, m.Name) {
			continue
		}
		s.missing[m.Name] = true
		switch {
		case w.deaf[m.Name] != 0:
			w.deaf[m.Name]--
		case w.mute[m.Name] != 0:
			w.mute[m.Name]--
			s.all = append(s.all, cluster.Answer{From: m.Name, Ack: true})
		default:
			s.all = append(s.all, cluster.Answer{From: m.Name, Ack: true}, cluster.Answer{From: m.Name, Payload: []byte(w.say)})
		}
	}
	return s, nil
}

// A stream ends, as cluster's, when all have answered or its time is over.
type stream struct {
	w       *town
	all     []cluster.Answer
	missing map[string]bool
	over    time.Time
}

func (s *stream) Next(ctx context.Context) (cluster.Answer, error) {
	if len(s.all) > 0 {
		time.Sleep(time.Millisecond)
		a := s.all[0]
		if s.all = s.all[1:]; !a.Ack {
			delete(s.missing, a.From)
		}
		return a, nil
	}
	if len(s.missing) == 0 {
		return cluster.Answer{}, io.EOF
	}
	select {
	case <-time.After(time.Until(s.over)):
		return cluster.Answer{}, io.EOF
	case <-ctx.Done():
		return cluster.Answer{}, context.Cause(ctx)
	}
}

func (s *stream) Close() { s.w.open-- }

func kinds(r Report) map[string]Kind {
	out := map[string]Kind{}
	for _, n := range r.Nodes {
		out[n.Name] = n.Kind
	}
	return out
}

func look(t *testing.T, f *Fleet, members ...string) Report {
	t.Helper()
	r, err := f.Look(t.Context(), Longest, members)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Who answers, who is Serf's own, and who is silent are told apart; only those
// that have not answered are asked again.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown("lb", "gone", "lossy", "serf", "silent", "web")
		w.view.Members[0].Status = cluster.Left // gone
		w.mute["serf"], w.deaf["silent"], w.mute["lossy"] = -1, -1, 1
		f := w.fleet(t)
		begin := time.Now()
		r := look(t, f)
		want := map[string]Kind{"lb": Muster, "lossy": Muster, "serf": Serf, "silent": Silent, "web": Muster}
		if diff := cmp.Diff(want, kinds(r)); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
		asked := [][]string{{"lb", "lossy", "serf", "silent", "web"}, {"lossy", "serf", "silent"}, {"silent"}}
		if diff := cmp.Diff(asked, w.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if took := time.Since(begin); took > Longest || w.open != 0 {
			t.Errorf("it took %v, %d questions are open", took, w.open)
		}

		// Whoever has answered once is not taken for Serf's own.
		w.mute["web"] = 2
		if r := look(t, f); kinds(r)["web"] != Silent {
			t.Errorf("web is %q", kinds(r)["web"])
		}
		w.deaf = map[string]int{}
		laggards, unasked := look(t, f).Laggards("web", true)
		if len(unasked) != 1 || unasked[0].Name != "serf" || len(laggards) != 4 || laggards[0].Why != "it does not say how it stands to web" {
			t.Errorf("laggards %v, unasked %v", laggards, unasked)
		}
	})
}

// A look is over in time, whatever happens, and says what went wrong.
func TestLookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown("lb", "web")
		w.deaf["web"] = -1
		f := w.fleet(t)
		begin := time.Now()
		r, err := f.Look(t.Context(), 300*time.Millisecond, nil)
		if err != nil || kinds(r)["lb"] != Muster || kinds(r)["web"] != Silent || time.Since(begin) != 300*time.Millisecond {
			t.Errorf("after %v: %v, %v", time.Since(begin), kinds(r), err)
		}
		f.turn <- struct{}{}
		if r, err = f.Look(t.Context(), time.Second, nil); err != nil || r.Problem == "" {
			t.Errorf("out of turn: %q, %v", r.Problem, err)
		}
		<-f.turn
		w.fail = errors.New("no way out")
		if r := look(t, f); r.Problem != "no way out" {
			t.Errorf("problem %q", r.Problem)
		}
		laggards, _ := r.Laggards("web", true)
		if len(laggards) == 0 {
			t.Error("nobody lags though nobody could be asked")
		}
		if _, err := f.Look(t.Context(), Longest, make([]string, 9)); !errors.Is(err, ErrQuestion) {
			t.Errorf("nine members: %v", err)
		}
		if _, err := f.Look(t.Context(), Longest, []string{strings.Repeat("x", 600)}); !errors.Is(err, ErrQuestion) {
			t.Errorf("a long name: %v", err)
		}
	})
}

// Who is waited for, and for what.
func TestLaggards(t *testing.T) {
	node := func(m Member) Node {
		return Node{Name: "lb", Status: cluster.Alive, Kind: Muster, Members: []Member{m}}
	}
	held := Rule{Rule: "web", State: "held", Why: "too few"}
	for _, test := range []struct {
		name     string
		node     Node
		draining bool
		want     string // nobody: ""
	}{
		{"drained", node(Member{Name: "n1", Status: cluster.Alive, Draining: true, In: []string{"hosts"}}), true, ""},
		{"drained and gone", node(Member{Name: "n1", Status: cluster.Failed}), true, ""},
		{"drained and forgotten", node(Member{Name: "n1"}), true, ""},
		{"not heard", node(Member{Name: "n1", Status: cluster.Alive}), true, "it has not heard of it yet"},
		{"held", node(Member{Name: "n1", Status: cluster.Alive, Draining: true, Lagging: 1, Lags: []Rule{held}}), true, "too few"},
		{"more than fits", node(Member{Name: "n1", Status: cluster.Alive, Draining: true, Lagging: 3}), true, "3 of its rules lag"},
		{"back", node(Member{Name: "n1", Status: cluster.Alive}), false, ""},
		{"not heard that it is back", node(Member{Name: "n1", Status: cluster.Alive, Draining: true}), false, "it has not heard of it yet"},
		{"back, but not there", node(Member{Name: "n1"}), false, "to it n1 is not known"},
		{"back, but failed", node(Member{Name: "n1", Status: cluster.Failed}), false, "to it n1 is failed"},
		{"of somebody else", node(Member{Name: "n2", Status: cluster.Alive, Draining: true}), true, "it does not say how it stands to n1"},
		{"unreadable", Node{Name: "lb", Status: cluster.Alive, Kind: Muster, Problem: "odd"}, true, "odd"},
		{"silent", Node{Name: "lb", Status: cluster.Alive, Kind: Silent}, true, "it did not answer"},
		{"leaving", Node{Name: "lb", Status: cluster.Leaving}, true, ""},
	} {
		laggards, unasked := Report{Settled: true, Nodes: []Node{test.node}}.Laggards("n1", test.draining)
		got := ""
		for _, l := range laggards {
			got += l.Why
		}
		if got != test.want || len(unasked) != 0 {
			t.Errorf("%s: %q, want %q; unasked %v", test.name, got, test.want, unasked)
		}
	}
}

// A node answers what it is asked, one question after the other, and is not
// kept busy by more than it has room for.
func TestRunAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown("lb")
		f := w.fleet(t)
		for range 2 * maxAsked {
			f.Hear(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query})
		}
		if len(f.asked) != maxAsked {
			t.Errorf("%d questions wait", len(f.asked))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = f.Run(ctx) })
		begin := time.Now()
		for len(f.asked) > 0 {
			time.Sleep(between)
		}
		if took := time.Since(begin); took < (maxAsked-2)*between {
			t.Errorf("%d answers within %v", maxAsked, took)
		}
		cancel()
		run.Wait()
	})
}
