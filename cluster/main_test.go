package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/cluster"
	"muster/cluster/clustertest"
)

func TestMain(m *testing.M) {
	if c := os.Getenv(elsewhere); c != "" {
		os.Exit(runElsewhere(c))
	}
	goleak.VerifyTestMain(patient{m})
}

// patient waits for goroutines that end by themselves: memberlist's ping of a
// node that was killed lasts, after several in a row, up to eight intervals.
type patient struct{ *testing.M }

func (p patient) Run() int {
	code := p.M.Run()
	for range 5 {
		if goleak.Find() == nil {
			break
		}
	}
	return code
}

// A node is a real one that a test runs.
type node struct {
	*cluster.Node
	t    *testing.T
	stop context.CancelCauseFunc
	done chan struct{}
	log  *logbook
}

// start runs a node of c, with the timing of tests, until the test ends.
func start(t *testing.T, c cluster.Config) *node {
	t.Helper()
	return startAt(t, c, nil)
}

// A host has one address, which may change.
type host struct {
	mu   sync.Mutex
	addr netip.Addr
}

func (h *host) move(to netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addr = to
}

func (h *host) at() netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addr
}

// startHearing is start with a subscription that misses nothing, not even what
// comes with the first join.
func startHearing(t *testing.T, c cluster.Config, size int) (n *node, heard *cluster.Subscription) {
	t.Helper()
	n = startWith(t, c, func(n *cluster.Node) { heard = n.Subscribe(size) })
	return n, heard
}

// startAt is start on a host that moves, unless that is nil.
func startAt(t *testing.T, c cluster.Config, h *host) *node {
	t.Helper()
	return startWith(t, c, func(n *cluster.Node) {
		if h != nil {
			n.LiveOn(h.at)
		}
	})
}

// startWith is start after prepare.
func startWith(t *testing.T, c cluster.Config, prepare func(*cluster.Node)) *node {
	t.Helper()
	n := &node{t: t, done: make(chan struct{}), log: &logbook{}}
	c.Logger = slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if n.Node, err = cluster.Join(clustertest.Fast(c)); err != nil {
		t.Fatal(err)
	}
	prepare(n.Node)
	n.run()
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", n.Info().Name, n.log)
		}
	})
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancelCause(context.Background())
	n.stop = cancel
	go func() {
		defer close(n.done)
		if err := n.Run(ctx); err != nil {
			n.t.Errorf("node %s: %v", n.Info().Name, err)
		}
	}()
}

// kill stops the node without a leave, as a crash does.
func (n *node) kill() {
	n.stop(cluster.ErrStay)
	<-n.done
}

// leave stops the node gracefully.
func (n *node) leave() {
	n.stop(nil)
	<-n.done
}

// wait waits until the view is as ok wants it.
func (n *node) wait(what string, ok func(cluster.View) bool) cluster.View {
	n.t.Helper()
	deadline := time.After(time.Minute)
	for {
		if v := n.View(); ok(v) {
			return v
		}
		select {
		case <-n.Changed():
		case <-deadline:
			n.t.Fatalf("%s has not come to: %s; view %s", n.Info().Name, what, describe(n.View()))
		}
	}
}

// waitFor waits for the settled view described, like "a:alive b:failed".
func (n *node) waitFor(want string) cluster.View {
	n.t.Helper()
	return n.wait(want, func(v cluster.View) bool { return v.Settled && describe(v) == want })
}

// describe lists the members of v and their states.
func describe(v cluster.View) string {
	var out []string
	for _, m := range v.Members {
		out = append(out, fmt.Sprintf("%s:%s", m.Name, m.Status))
	}
	return strings.Join(out, " ")
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("it has not come to: %s", what)
}

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) has(s string) bool { return strings.Contains(l.String(), s) }

// count returns how many lines hold s.
func (l *logbook) count(s string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}

var nextIP atomic.Uint32

// loopback returns an address of 127.0.0.0/8 that no other test uses.
func loopback() string {
	n := nextIP.Add(1)
	return fmt.Sprintf("127.44.%d.%d", n>>8, n&255)
}
