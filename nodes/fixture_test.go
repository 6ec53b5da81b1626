package nodes

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/cluster"
	"muster/load"
)

// A universe is a cluster that answers as a test wants it to.
type universe struct {
	mu     sync.Mutex
	view   cluster.View
	asked  []time.Time
	open   int // questions that have not been closed
	fail   error
	delay  time.Duration            // of Ask
	answer map[string]func() string // by node; nil: it does not answer
	late   map[string]time.Duration // how long it takes; default 100 ms
}

func newUniverse(names ...string) *universe {
	u := &universe{answer: map[string]func() string{}, late: map[string]time.Duration{}}
	u.view = cluster.View{Self: names[0], Settled: true, Epoch: 1}
	for i, name := range names {
		u.view.Members = append(u.view.Members, cluster.Member{
			Name: name, Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Port: 7946, Status: cluster.Alive,
		})
		u.answer[name] = idle
	}
	cluster.SortMembers(u.view.Members)
	return u
}

// idle is what a machine says that has nothing to do.
func idle() string {
	text, err := load.Load{CPUs: 4, Load1: 1, MemTotal: 1 << 30, MemFree: 1 << 29}.Encode(time.Now())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (u *universe) do(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

func (u *universe) View() (v cluster.View) {
	u.do(func() { v = u.view.Clone() })
	return v
}

func (u *universe) status(name string, s cluster.Status) {
	u.do(func() {
		for i := range u.view.Members {
			if u.view.Members[i].Name == name {
				u.view.Members[i].Status = s
			}
		}
	})
}

// times are when it was asked.
func (u *universe) times() (all []time.Time) {
	u.do(func() { all = slices.Clone(u.asked) })
	return all
}

func (u *universe) count() int { return len(u.times()) }

func (u *universe) ask(ctx context.Context, q cluster.Query) (Answers, error) {
	var delay time.Duration
	u.do(func() { delay = u.delay })
	time.Sleep(delay)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail != nil {
		return nil, u.fail
	}
	if q.Name != Query || q.Timeout <= 0 || u.open > 0 {
		return nil, errors.New("it asks as it should not")
	}
	u.asked = append(u.asked, time.Now())
	u.open++
	s := &stream{u: u, all: make(chan cluster.Answer, 2*len(u.view.Members)), over: time.Now().Add(q.Timeout)}
	for _, m := range u.view.Members {
		text := u.answer[m.Name]
		if text == nil {
			s.missing++
			continue
		}
		after := u.late[m.Name]
		if after == 0 {
			after = 100 * time.Millisecond
		}
		s.coming.Go(func() {
			time.Sleep(after)
			s.all <- cluster.Answer{From: m.Name, Payload: []byte(text())}
		})
	}
	s.missing += len(u.view.Members) - s.missing
	return s, nil
}

// A stream ends, as cluster's, when all have answered or its time is over.
type stream struct {
	u       *universe
	all     chan cluster.Answer
	coming  sync.WaitGroup
	missing int
	over    time.Time
}

func (s *stream) Next(ctx context.Context) (cluster.Answer, error) {
	if s.missing == 0 {
		return cluster.Answer{}, io.EOF
	}
	select {
	case a := <-s.all:
		s.missing--
		return a, nil
	case <-time.After(time.Until(s.over)):
		return cluster.Answer{}, io.EOF
	case <-ctx.Done():
		return cluster.Answer{}, context.Cause(ctx)
	}
}

func (s *stream) Close() { s.u.do(func() { s.u.open-- }) }

// within runs a test in a bubble of time with a Book that runs.
func within(t *testing.T, u *universe, change func(*Config), test func(t *testing.T, b *Book)) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{View: u.View, Ask: u.ask}
		if change != nil {
			change(&c)
		}
		b, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = b.Run(ctx) })
		test(t, b)
		cancel()
		run.Wait()
		time.Sleep(time.Hour) // what is under way ends
		u.do(func() {
			if u.open != 0 {
				t.Errorf("%d questions were not closed", u.open)
			}
		})
	})
}

func nodeOf(t *testing.T, r Report, name string) Node {
	t.Helper()
	for _, n := range r.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("%s is not in the report", name)
	return Node{}
}
