package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// pair starts two nodes that know each other.
func pair(t *testing.T, c cluster.Config) (a, b *node) {
	t.Helper()
	c.Name, c.Bind = "a", loopback()
	a = start(t, c)
	a.waitFor("a:alive")
	c.Name, c.Bind, c.Join = "b", loopback(), []string{a.Info().Bind}
	b = start(t, c)
	b.waitFor("a:alive b:alive")
	a.waitFor("a:alive b:alive")
	return a, b
}

// next waits for the next event of a type.
func next(t *testing.T, s *cluster.Subscription, kind string) cluster.Event {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case e := <-s.C:
			if e.Type == kind {
				return e
			}
		case <-deadline:
			t.Fatalf("no %s", kind)
		}
	}
}

// userEvents returns the names of the user events that s holds now.
func userEvents(s *cluster.Subscription) (out []string) {
	for {
		select {
		case e := <-s.C:
			if e.Type == cluster.EventUser {
				out = append(out, e.Name)
			}
		default:
			return out
		}
	}
}

// wants fails unless err says all of words.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback()})
	n.waitFor("n:alive")
	events := n.Subscribe(8)
	defer events.Close()
	for name, want := range map[string]string{
		"":                       "no name",
		strings.Repeat("x", 129): "129 bytes long, more than 128",
		"a\nb":                   `"cannot send user event`,
		"\xff":                   "not UTF-8",
		"a\x1b[2J":               "printable",
	} {
		err := n.Send(t.Context(), name, nil, false)
		wants(t, err, strings.TrimPrefix(want, `"`))
	}
	// Serf's own limit, to the byte: 476 for a name of six.
	if err := n.Send(t.Context(), "deploy", make([]byte, 476), false); err != nil {
		t.Error(err)
	}
	wants(t, n.Send(t.Context(), "deploy", make([]byte, 477), false), "513 bytes of 512", "raise user_event_size_limit")
	wants(t, n.Send(t.Context(), "deploy", make([]byte, 1<<20), false), "bytes of 512")
	if e := next(t, events, cluster.EventUser); len(e.Payload) != 476 {
		t.Errorf("heard %d bytes", len(e.Payload))
	}
	if got := userEvents(events); got != nil {
		t.Errorf("heard also %q", got)
	}
}

// A raised limit ends where a packet does: what is longer would never get
// through, however long it waited.
func TestSendFillsAPacket(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", key(1, 32)} {
		a, b := pair(t, cluster.Config{UserEventSizeLimit: 9216, EncryptKey: secret, PushPullInterval: time.Hour})
		if !a.log.has("more than a packet") {
			t.Error("the limit is not warned about")
		}
		heard := b.Subscribe(8)
		defer heard.Close()
		size := 1400
		for ; ; size-- {
			err := a.Send(t.Context(), "big", make([]byte, size), true)
			if err == nil {
				break
			}
			wants(t, err, "packet of gossip")
		}
		if size < 1300 {
			t.Errorf("only %d bytes fit", size)
		}
		if e := next(t, heard, cluster.EventUser); len(e.Payload) != size || !e.Coalesce {
			t.Errorf("b heard %d bytes, coalesce %t", len(e.Payload), e.Coalesce)
		}
	}
}

func TestCallsWithoutALife(t *testing.T) {
	n, err := cluster.Join(clustertest.Fast(cluster.Config{Name: "n", Bind: loopback()}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := n.Send(ctx, "e", nil, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("send before Run: %v", err)
	}
	// One that waits is served once the node runs.
	heard, sent := n.Subscribe(8), make(chan error, 1)
	defer heard.Close()
	go func() { sent <- n.Send(t.Context(), "e", nil, false) }()
	run, stop := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(run) }()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	next(t, heard, cluster.EventUser)
	stop(cluster.ErrStay)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"send":  n.Send(t.Context(), "e", nil, false),
		"leave": n.ForceLeave(t.Context(), "x", false),
	} {
		if err == nil || !strings.Contains(err.Error(), "has stopped") {
			t.Errorf("%s after Run: %v", what, err)
		}
	}
	_, err = n.Query(t.Context(), cluster.Query{Name: "q"})
	wants(t, err, "has stopped")
	_, err = n.JoinThrough(t.Context(), []string{"127.0.0.1:1"}, false)
	wants(t, err, "has stopped")
	if s := n.Stats(); len(s["serf"]) != 0 || s["agent"]["name"] != "n" {
		t.Errorf("stats %v", s)
	}
}

// Equal events are sent by many at once: each of them is one.
func TestSendSideBySide(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback()})
	n.waitFor("n:alive")
	const senders, each = 8, 50
	heard := n.Subscribe(2 * senders * each)
	defer heard.Close()
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if err := n.Send(t.Context(), "e", []byte("x"), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	times := map[uint64]bool{}
	for range senders * each {
		times[next(t, heard, cluster.EventUser).LTime] = true
	}
	if len(times) != senders*each {
		t.Errorf("%d events at %d times", senders*each, len(times))
	}
}

func TestJoinThrough(t *testing.T) {
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	b := start(t, cluster.Config{Name: "b", Bind: loopback()})
	a.waitFor("a:alive")
	b.waitFor("b:alive")
	_, err := b.JoinThrough(t.Context(), nil, false)
	wants(t, err, "no address")
	_, err = b.JoinThrough(t.Context(), []string{b.Info().Bind}, false)
	wants(t, err, "it is this node")
	_, err = b.JoinThrough(t.Context(), []string{"127.44.255.1", "not an address"}, false)
	wants(t, err, "127.44.255.1", "refused", "no address")
	// The dead ones do not count, the living ones do.
	got, err := b.JoinThrough(t.Context(), []string{"127.44.255.1", "a/" + a.Info().Bind}, false)
	if err != nil || got != 1 {
		t.Errorf("joined %d, %v", got, err)
	}
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
}

func TestForceLeave(t *testing.T) {
	t.Parallel()
	a, b := pair(t, cluster.Config{})
	wants(t, a.ForceLeave(t.Context(), "b", true), "is alive", "stop it first")
	wants(t, a.ForceLeave(t.Context(), "b\n", false), "cannot force")
	if err := a.ForceLeave(t.Context(), "nobody", false); err != nil {
		t.Error(err)
	}
	if got := describe(a.View()); got != "a:alive b:alive" {
		t.Errorf("a sees %s", got)
	}
	b.kill()
	a.waitFor("a:alive b:failed")
	if err := a.ForceLeave(t.Context(), "b", false); err != nil {
		t.Error(err)
	}
	a.waitFor("a:alive b:left")
	if err := a.ForceLeave(t.Context(), "b", true); err != nil {
		t.Error(err)
	}
	a.waitFor("a:alive")
}

func TestStats(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Tags: map[string]string{"role": "web"}})
	n.waitFor("n:alive")
	stats := n.Stats()
	// The sections and keys that `serf info` of Serf 0.11 prints.
	for section, keys := range map[string]string{
		"agent": "name", "runtime": "os arch version max_procs goroutines cpu_count", "tags": "role",
		"serf": "members failed left health_score member_time event_time query_time intent_queue event_queue" +
			" query_queue encrypted coordinate_resets",
		"event_handlers": "", "muster": "epoch settled joined refused",
	} {
		if stats[section] == nil {
			t.Errorf("no section %s", section)
		}
		for _, k := range strings.Fields(keys) {
			if stats[section][k] == "" {
				t.Errorf("no %s.%s", section, k)
			}
		}
	}
	if _, ok := n.Coordinate("n"); !ok {
		t.Error("no coordinate of its own")
	}
	if _, ok := n.Coordinate("nobody"); ok {
		t.Error("a coordinate of nobody")
	}
	if v := n.Versions()["n"]; v.DelegateCur != 5 || v.ProtocolCur != 2 {
		t.Errorf("versions %+v", v)
	}
}
