package rpc_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
	"muster/rpc"
)

// stays asserts that the connection answers.
func (w wire) stays(seq byte) {
	w.tb.Helper()
	w.say(request("stop", seq), "\x81\xa4Stop\x00")
	w.hears(answer(seq, ""))
}

// Who gives way when all connections are taken: first who has not said who it
// is, oldest first, then who has been silent for longest, never who follows
// something.
func TestConnectionsGiveWay(t *testing.T) {
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{MaxConns: 4})
	known := func() wire {
		w := s.raw(t)
		w.say(handshake)
		w.hears(answer(0, ""))
		return w
	}
	follows, first, second := known(), known(), known()
	follows.say(request("stream", 1), "\x81\xa4Type\xa4user")
	follows.hears(answer(1, ""))
	stranger := s.raw(t)
	third := known()
	stranger.ends()
	first.stays(2) // now second is the one silent for longest
	fourth := known()
	second.ends()
	for i, w := range []wire{follows, first, third, fourth} {
		w.stays(byte(10 + i))
	}
	for _, w := range []wire{first, third, fourth} {
		w.say(request("stream", 1), "\x81\xa4Type\xa4user")
		w.hears(answer(1, ""))
	}
	late := s.raw(t)
	late.ends() // all follow something
	first.say(request("stop", 2), "\x81\xa4Stop\x01")
	first.hears(answer(2, ""))
	eventually(t, "room is made", func() bool { // first may still be at its answer
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(handshake)); err != nil {
			return false
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		n, _ := c.Read(make([]byte, 1))
		return n == 1
	})
	first.ends()
	if !strings.Contains(s.Book.String(), "all connections are in use") {
		t.Error("that a client was refused is not in the log")
	}
}

func TestWhoTakesItsTime(t *testing.T) {
	t.Parallel()
	const patience = 1500 * time.Millisecond
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{
		AuthKey: "secret", AuthDelay: time.Millisecond, HandshakeTimeout: patience, ReadTimeout: patience,
	})
	auth := request("auth", 1) + "\x81\xa7AuthKey\xa6secret"
	t.Run("to say anything", func(t *testing.T) { s.raw(t).ends() })
	t.Run("to say the key", func(t *testing.T) {
		w := s.raw(t)
		w.say(handshake)
		w.ends()
	})
	t.Run("to end a request", func(t *testing.T) {
		w := s.raw(t)
		w.say(handshake, auth, request("stop", 2))
		w.ends()
	})
	t.Run("between requests", func(t *testing.T) {
		w := s.raw(t)
		w.say(handshake, auth)
		w.hears(answer(0, "") + answer(1, ""))
		time.Sleep(2 * patience)
		w.stays(2)
	})
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{AuthKey: "secret", AuthDelay: 50 * time.Millisecond})
	w := s.raw(t)
	w.say(handshake)
	w.hears(answer(0, ""))
	began := time.Now()
	for i := range byte(3) {
		w.say(request("auth", i), "\x81\xa7AuthKey\xa5wrong")
		w.hears(answer(i, "Invalid authentication token"))
	}
	if time.Since(began) < 150*time.Millisecond {
		t.Error("three keys are tried at once")
	}
	w.ends()
	chatty := s.raw(t)
	chatty.say(handshake, strings.Repeat(request("members", 1), 15))
	chatty.hears(answer(0, "") + strings.Repeat(answer(1, "Authentication required"), 15))
	chatty.say(request("members", 1))
	chatty.ends()
	long := s.raw(t)
	long.say(request("event", 1), "\x81\xa7Payload\xc5\x04\x00", strings.Repeat("x", 1024))
	long.hears(answer(1, "not a message of Serf's RPC: longer than 1024 bytes"))
	long.ends()
}

// More streams and more queries than a connection may have.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{})
	w := s.raw(t)
	w.say(handshake)
	w.hears(answer(0, ""))
	for i := range byte(64) {
		w.say(request("stream", i), "\x81\xa4Type\xa9query:not")
		w.hears(answer(i, ""))
	}
	w.say(request("stream", 64), "\x81\xa4Type\xa9query:not")
	w.hears(answer(64, "more than 64 streams on one connection"))
	for i := range byte(64) {
		w.say(request("query", i), "\x83\xa4Name\xa1x\xa7Timeout\xcf\x00\x00\x00\x0d\xf8\x47\x58\x00\xabFilterNodes\x91\xa1a")
		w.hears(answer(i, ""))
	}
	w.say(request("query", 65), "\x81\xa4Name\xa1x")
	w.hears(answer(65, "more than 64 queries under way on one connection"))
}

// A client that follows events and stops reading is sent away; events that
// come meanwhile reach the others.
func TestSlowStream(t *testing.T) {
	t.Parallel()
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{WriteTimeout: 200 * time.Millisecond})
	slow := s.raw(t)
	_ = slow.Conn.(*net.TCPConn).SetReadBuffer(4096)
	slow.say(handshake)
	for i := range byte(64) {
		slow.say(request("stream", i), "\x81\xa4Type\xa4user")
	}
	quick := make(chan map[string]any, 64)
	c := s.dial(t, "")
	if _, err := c.Stream("user", quick); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 400)
	for n := 1; !strings.Contains(s.Book.String(), "takes too little"); n++ {
		if n > 5000 {
			t.Fatal("a client that does not read is kept")
		}
		if err := c.UserEvent("tick", payload, false); err != nil {
			t.Fatal(err)
		}
		receive(t, "the event", quick)
	}
	slow.ends()
}

// A whole cluster that appears at once reaches a client that reads.
func TestBurst(t *testing.T) {
	const n = 5_000
	u, err := clustertest.NewUniverse(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	if err := u.Set(clustertest.Members("web", n, map[string]string{"role": "web"})...); err != nil {
		t.Fatal(err)
	}
	s := serve(t, cluster.Config{Name: "self", StreamTimeout: time.Minute}, rpc.ServerConfig{})
	c := s.dial(t, "")
	events := make(chan map[string]any, n)
	if _, err := c.Stream("member-join", events); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Join([]string{u.Seed()}, false); err != nil {
		t.Fatal(err)
	}
	for heard := 0; heard < n; {
		e := receive(t, fmt.Sprintf("one more join than %d", heard), events)
		for _, m := range e["Members"].([]any) {
			if m := m.(map[any]any); m["ProtocolMax"] == int64(0) {
				t.Fatalf("%s has no versions", m["Name"])
			}
			heard++
		}
	}
}

// What is under way when the server ends is finished; nothing is left.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	node, err := cluster.Join(cluster.Config{Name: "a", Bind: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := rpc.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	server := rpc.NewServer(rpc.ServerConfig{Node: node, Leave: func() {
		cancel()
		time.Sleep(100 * time.Millisecond)
	}})
	go func() { ended <- server.Serve(ctx, ln) }()
	s := &served{Addr: ln.Addr().String()}
	idle, follows, leaves := s.raw(t), s.raw(t), s.raw(t)
	idle.say(handshake)
	idle.hears(answer(0, ""))
	follows.say(handshake, request("stream", 1), "\x81\xa4Type\xa1*")
	follows.hears(answer(0, "") + answer(1, ""))
	leaves.say(handshake, request("leave", 1))
	leaves.hears(answer(0, "") + answer(1, ""))
	for _, w := range []wire{idle, follows, leaves} {
		w.ends()
	}
	if err := receive(t, "the end", ended); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr); err == nil {
		t.Error("somebody still listens")
	}
}

// A poor listener has no descriptor left, as often as it was told.
type poor struct {
	net.Listener
	fails atomic.Int32
}

func (p *poor) Accept() (net.Conn, error) {
	if p.fails.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return p.Listener.Accept()
}

func TestAcceptBacksOff(t *testing.T) {
	t.Parallel()
	node, err := cluster.Join(cluster.Config{Name: "a", Bind: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := rpc.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	p := &poor{Listener: ln}
	wg.Go(func() {
		if err := rpc.NewServer(rpc.ServerConfig{Node: node}).Serve(ctx, p); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	s := &served{Addr: ln.Addr().String()}
	known := s.raw(t)
	known.say(handshake)
	known.hears(answer(0, ""))
	p.fails.Store(5)
	stranger := s.raw(t) // accepted, and then nothing is
	stranger.ends()      // which makes room
	known.ends()         // and known next
	later := s.raw(t)
	later.say(handshake)
	later.hears(answer(0, ""))
}

// The log says little about many.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{})
	for i := range 300 {
		w := s.raw(t)
		w.say(handshake, fmt.Sprintf("\x93%d", i), "\xc1")
		w.ends()
	}
	if n := strings.Count(s.Book.String(), "ended a client's connection"); n == 0 || n > 40 {
		t.Errorf("%d lines about 300 clients", n)
	}
}
