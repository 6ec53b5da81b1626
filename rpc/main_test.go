package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/cli"
	"github.com/hashicorp/serf/client"
	serfagent "github.com/hashicorp/serf/cmd/serf/command/agent"
	"go.uber.org/goleak"

	"muster/cluster"
	"muster/cluster/clustertest"
	"muster/logs"
	"muster/rpc"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		if err := victim(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(serfAgentEnv) != "" {
		ui := &cli.BasicUi{Writer: os.Stdout, ErrorWriter: os.Stderr}
		os.Exit((&serfagent.Command{Ui: ui, ShutdownCh: make(chan struct{})}).Run(os.Args[2:]))
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

// serfAgentEnv makes this test's program `serf agent`, of the Serf that this
// module requires.
const serfAgentEnv = "MUSTER_TEST_SERF_AGENT"

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
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

var nextIP atomic.Uint32

// loopback returns an address of 127.0.0.0/8 that no other test uses.
func loopback() string {
	n := nextIP.Add(1)
	return fmt.Sprintf("127.46.%d.%d", n>>8, n&255)
}

// A served is a node with its RPC.
type served struct {
	*cluster.Node
	Addr string // of the RPC
	Book *logbook
	Log  *logs.Log
	Left chan struct{} // one slot: a client asked for a leave
	Stop func()        // stops the node as a crash does, and the RPC
}

// serve runs a node and serves its RPC until the test ends.
func serve(tb testing.TB, node cluster.Config, c rpc.ServerConfig) *served {
	tb.Helper()
	s := &served{Book: &logbook{}, Left: make(chan struct{}, 1)}
	s.Log = logs.New(slog.NewTextHandler(s.Book, &slog.HandlerOptions{Level: slog.LevelDebug}), 100)
	logger := slog.New(s.Log)
	node.Logger = logger.With("source", "cluster")
	if node.Bind == "" {
		node.Bind = loopback()
	}
	var err error
	if s.Node, err = cluster.Join(clustertest.Fast(node)); err != nil {
		tb.Fatal(err)
	}
	c.Node, c.Logger, c.Logs = s.Node, logger.With("source", "rpc"), s.Log
	c.Leave = func() { s.Left <- struct{}{} }
	ln, err := rpc.Listen("127.0.0.1:0", c.AuthKey)
	if err != nil {
		tb.Fatal(err)
	}
	s.Addr = ln.Addr().String()
	ctx, cancel := context.WithCancelCause(context.Background())
	var wg sync.WaitGroup
	run := func(what string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				tb.Errorf("%s: %v", what, err)
			}
		})
	}
	run("node", s.Run)
	run("server", func(ctx context.Context) error { return rpc.NewServer(c).Serve(ctx, ln) })
	s.Stop = func() {
		cancel(cluster.ErrStay)
		wg.Wait()
	}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("log of %s:\n%.20000s", s.Info().Name, s.Book)
		}
	})
	s.wait(tb, func(v cluster.View) bool { return v.Settled })
	return s
}

// wait waits until the view is as ok wants it.
func (s *served) wait(tb testing.TB, ok func(cluster.View) bool) {
	tb.Helper()
	eventually(tb, "the view wanted", func() bool { return ok(s.View()) })
}

// seed returns where others join s.
func (s *served) seed() string { return s.Info().Bind }

// dial connects Serf's own client, and stops the server at the end of the
// test.
func (s *served) dial(tb testing.TB, key string) *client.RPCClient {
	tb.Helper()
	c, err := client.ClientFromConfig(&client.Config{Addr: s.Addr, AuthKey: key, Timeout: time.Minute})
	if err != nil {
		tb.Fatalf("cannot dial with Serf's client: %v", err)
	}
	tb.Cleanup(func() {
		if s.Stop == nil {
			c.Close()
			return
		}
		// To close it while records come would be a race in Serf's client.
		s.Stop()
		eventually(tb, "Serf's client is closed", c.IsClosed)
	})
	return c
}

// eventually waits until ok.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tb.Fatalf("it has not come to: %s", what)
}

// receive takes one value from c.
func receive[T any](tb testing.TB, what string, c <-chan T) T {
	tb.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			tb.Fatalf("%s: the stream has ended", what)
		}
		return v
	case <-time.After(time.Minute):
		tb.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

// A wire is a raw connection to a server.
type wire struct {
	net.Conn
	tb testing.TB
}

func (s *served) raw(tb testing.TB) wire {
	tb.Helper()
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return wire{c, tb}
}

// say sends MessagePack written by hand, in parts.
func (w wire) say(parts ...string) {
	w.tb.Helper()
	if _, err := w.Write([]byte(strings.Join(parts, ""))); err != nil {
		w.tb.Fatalf("cannot send: %v", err)
	}
}

// hears reads exactly the bytes wanted.
func (w wire) hears(want string) {
	w.tb.Helper()
	_ = w.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		k, err := w.Read(got[n:])
		n += k
		if string(got[:n]) != want[:n] || err != nil {
			w.tb.Fatalf("heard %q and %v, want %q", got[:n], err, want)
		}
	}
}

// ends waits until the server closes the connection.
func (w wire) ends() {
	w.tb.Helper()
	_ = w.SetReadDeadline(time.Now().Add(time.Minute))
	for buf := make([]byte, 4096); ; {
		if _, err := w.Read(buf); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				w.tb.Fatal("the server keeps the connection")
			}
			return
		}
	}
}

// request is a request's header: {"Command": cmd, "Seq": seq}.
func request(cmd string, seq byte) string {
	return "\x82\xa7Command" + str(cmd) + "\xa3Seq" + string([]byte{seq})
}

// answer is an answer's header: {"Seq": seq, "Error": problem}.
func answer(seq byte, problem string) string {
	return "\x82\xa3Seq" + string([]byte{seq}) + "\xa5Error" + str(problem)
}

// str is a text of less than 256 bytes.
func str(s string) string {
	if len(s) < 32 {
		return string([]byte{0xa0 | byte(len(s))}) + s
	}
	return "\xd9" + string([]byte{byte(len(s))}) + s
}

var handshake = request("handshake", 0) + "\x81\xa7Version\x01"
