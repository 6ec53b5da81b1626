package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// respond answers every query that n hears with its name and the payload,
// until the test ends.
func respond(t *testing.T, n *node) {
	t.Helper()
	events, ctx := n.Subscribe(256), t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e := <-events.C:
				if e.Type != cluster.EventQuery {
					continue
				}
				if strings.HasPrefix(e.Name, "_serf_") {
					t.Errorf("Serf's own query %q shows", e.Name)
				}
				if err := e.Respond([]byte(n.Info().Name + " " + string(e.Payload))); err != nil {
					t.Error(err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { <-done; events.Close() })
}

// gather fetches all answers, described and sorted.
func gather(t *testing.T, n *node, q cluster.Query) []string {
	t.Helper()
	a, err := n.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out []string
	for {
		answer, err := a.Next(ctx)
		if err == io.EOF {
			slices.Sort(out)
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if answer.Ack {
			out = append(out, answer.From+" heard")
		} else {
			out = append(out, answer.From+": "+string(answer.Payload))
		}
	}
}

// trio starts three nodes, in roles web, web and db, that answer.
func trio(t *testing.T) []*node {
	t.Helper()
	var nodes []*node
	var seeds []string
	for i, role := range []string{"web", "web", "db"} {
		n := start(t, cluster.Config{
			Name: fmt.Sprint("n", i), Bind: loopback(), Join: seeds, Tags: map[string]string{"role": role},
		})
		n.wait("settled", func(v cluster.View) bool { return v.Settled && len(v.Members) == i+1 })
		respond(t, n)
		seeds = []string{n.Info().Bind}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.waitFor("n0:alive n1:alive n2:alive")
	}
	return nodes
}

// All of these would wait for an hour if they did not end early.
func TestQuery(t *testing.T) {
	t.Parallel()
	n := trio(t)[0]
	for name, tc := range map[string]struct {
		q    cluster.Query
		want []string
	}{
		"all":     {cluster.Query{}, []string{"n0: n0 x", "n1: n1 x", "n2: n2 x"}},
		"node":    {cluster.Query{Nodes: []string{"n1", "nobody"}}, []string{"n1: n1 x"}},
		"tag":     {cluster.Query{Tags: map[string]string{"role": "w.b"}}, []string{"n0: n0 x", "n1: n1 x"}},
		"both":    {cluster.Query{Nodes: []string{"n1", "n2"}, Tags: map[string]string{"role": "web"}}, []string{"n1: n1 x"}},
		"part":    {cluster.Query{Tags: map[string]string{"role": "we"}}, nil}, // anchored
		"lacking": {cluster.Query{Tags: map[string]string{"none": ""}}, []string{"n0: n0 x", "n1: n1 x", "n2: n2 x"}},
		"nobody":  {cluster.Query{Nodes: []string{"nobody"}}, nil},
		"relay":   {cluster.Query{Relay: 2}, []string{"n0: n0 x", "n1: n1 x", "n2: n2 x"}},
		"ack": {cluster.Query{Ack: true, Relay: 2},
			[]string{"n0 heard", "n0: n0 x", "n1 heard", "n1: n1 x", "n2 heard", "n2: n2 x"}},
		"ping": {cluster.Query{Name: "_serf_ping", Ack: true}, []string{"n0 heard", "n1 heard", "n2 heard"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.q.Payload, tc.q.Timeout = []byte("x"), time.Hour
			if tc.q.Name == "" {
				tc.q.Name = "load"
			}
			if d := cmp.Diff(tc.want, gather(t, n, tc.q)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestQueryRefuses(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback()})
	n.waitFor("n:alive")
	for _, tc := range []struct {
		q    cluster.Query
		want string
	}{
		{cluster.Query{}, "no name"},
		{cluster.Query{Name: "_serf_use-key"}, "Serf's own"},
		{cluster.Query{Name: "q", Timeout: -1}, "time-out"},
		{cluster.Query{Name: "q", Timeout: 48 * time.Hour}, "up to 1h"},
		{cluster.Query{Name: "q", Tags: map[string]string{"role": "("}}, `filter of tag "role"`},
		{cluster.Query{Name: "q", Tags: map[string]string{"role": "a)(b"}}, `filter of tag "role"`},
		{cluster.Query{Name: "q", Payload: make([]byte, 1024)}, "bytes of 1024"},
		{cluster.Query{Name: "q", Nodes: []string{strings.Repeat("n", 1024)}}, "bytes of 1024"},
	} {
		_, err := n.Query(t.Context(), tc.q)
		wants(t, err, "cannot query", tc.want)
	}
	old := start(t, cluster.Config{Name: "old", Bind: loopback(), Protocol: 3})
	old.waitFor("old:alive")
	_, err := old.Query(t.Context(), cluster.Query{Name: "q"})
	wants(t, err, "protocol 3", "need 4")
}

func TestRespondRefuses(t *testing.T) {
	t.Parallel()
	a, b := pair(t, cluster.Config{})
	events := b.Subscribe(64)
	defer events.Close()
	ask := func(timeout time.Duration) (*cluster.Answers, cluster.Event) {
		t.Helper()
		answers, err := a.Query(t.Context(), cluster.Query{Name: "q", Nodes: []string{"b"}, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"b"}, answers.Expected()); d != "" {
			t.Error(d)
		}
		return answers, next(t, events, cluster.EventQuery)
	}
	answers, e := ask(time.Hour)
	if e.From != "a" || time.Until(e.Deadline) < 50*time.Minute || e.LTime == 0 {
		t.Errorf("query %+v", e)
	}
	wants(t, e.Respond(make([]byte, 1024)), "too long", "of 1024 bytes")
	if err := e.Respond(make([]byte, 900)); err != nil {
		t.Error(err)
	}
	wants(t, e.Respond([]byte("again")), "already answered")
	if got, err := answers.Next(t.Context()); err != nil || len(got.Payload) != 900 {
		t.Errorf("answer of %d bytes, %v", len(got.Payload), err)
	}
	if _, err := answers.Next(t.Context()); err != io.EOF {
		t.Errorf("after the last answer: %v", err)
	}

	answers, e = ask(300 * time.Millisecond)
	if _, err := answers.Next(t.Context()); err != io.EOF {
		t.Errorf("when the time is over: %v", err)
	}
	time.Sleep(time.Until(e.Deadline))
	wants(t, e.Respond(nil), "too late")

	// Next can be given up and called again; Close ends it.
	answers, _ = ask(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := answers.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
	go answers.Close()
	if _, err := answers.Next(t.Context()); err != io.EOF {
		t.Errorf("closed: %v", err)
	}
	answers.Close()

	if err := (cluster.Event{Type: cluster.EventUser}).Respond(nil); !errors.Is(err, cluster.ErrNoAnswer) {
		t.Errorf("a user event: %v", err)
	}
}

// Many queries at once while the tags that they filter by change: nobody
// loses an answer, and nothing races.
func TestQueriesSideBySide(t *testing.T) {
	t.Parallel()
	n := trio(t)[0]
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				payload := fmt.Sprint(i, "-", j)
				want := []string{"n0: n0 " + payload}
				got := gather(t, n, cluster.Query{
					Name: "q", Payload: []byte(payload), Nodes: []string{"n0"},
					Tags: map[string]string{"role": "web"}, Timeout: time.Minute,
				})
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
			}
		})
	}
	for i := range 5 {
		err := n.SetTags(t.Context(), func(tags map[string]string) { tags["i"] = fmt.Sprint(i) })
		if err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}
