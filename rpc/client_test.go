package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/cluster"
)

// Errors say what to check.
func TestDialErrors(t *testing.T) {
	locked := startStock(t, "locked", "-rpc-auth=sesame")
	closed, err := net.Listen("tcp", "127.49.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	web := answer(t, "HTTP/1.1 400 Bad Request\r\n\r\n")
	silent := answer(t, "")
	old := answer(t, "\x82\xa5Error\xb7Unsupported IPC version\xa3Seq\x01")
	for _, c := range []struct{ addr, key, want string }{
		{closed.Addr().String(), "", "cannot reach the Serf agent at ADDR: connection refused; is one running? --rpc-addr says where"},
		{filepath.Join(t.TempDir(), "rpc.sock"), "", "cannot reach the Serf agent at ADDR: no such file or directory; is one running? --rpc-addr says where"},
		{"host.invalid:7373", "", "cannot reach the Serf agent at ADDR: host host.invalid: "},
		{"localhost", "", `cannot use "ADDR" as an agent's address: it is host:port`},
		{"unix:", "", `cannot use "ADDR" as an agent's address: the socket has no path`},
		{locked.rpc, "wrong", "the Serf agent at ADDR refuses the key: --rpc-auth or SERF_RPC_AUTH must be its rpc_auth"},
		{web, "", "ADDR does not speak Serf's RPC"},
		{silent, "", "the Serf agent at ADDR has not answered within 300ms"},
		{old, "", "the Serf agent at ADDR does not speak version 1 of Serf's RPC"},
	} {
		o := Options{AuthKey: c.key}
		if c.addr == silent { // the others answer, if the machine is slow, in their own time
			o.Timeout = 300 * time.Millisecond
		}
		_, err := Dial(t.Context(), c.addr, o)
		if want := strings.ReplaceAll(c.want, "ADDR", c.addr); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Dial(%q) = %v; want %s", c.addr, err, want)
		}
	}

	// A missing key shows with the first request, and then always.
	c := dial(t, locked.rpc, Options{})
	for range 2 {
		_, err = c.Members(t.Context(), Filter{})
		if err == nil || !strings.Contains(err.Error(), "demands a key: --rpc-auth or SERF_RPC_AUTH must be its rpc_auth") {
			t.Errorf("a request without the key: %v", err)
		}
	}
}

// answer listens for clients and says one thing to each.
func answer(t *testing.T, what string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() { ln.Close(); work.Wait() })
	work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				if what != "" {
					_, _ = io.WriteString(c, what) // the client may have gone
				}
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	return ln.Addr().String()
}

// A Unix socket does as well.
func TestDialUnix(t *testing.T) {
	ln, err := Listen(filepath.Join(t.TempDir(), "rpc.sock"), "")
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t, func(p *peer, command string, seq uint64) { _ = p.send(seq, "", figures("u")) })
	f.work.Go(func() { // leads from the socket to the fake
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.work.Go(func() { f.serve(c) })
		}
	})
	defer ln.Close()
	for _, addr := range []string{ln.Addr().String(), "unix:" + ln.Addr().String()} {
		c, err := Dial(t.Context(), addr, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if stats, err := c.Stats(t.Context()); err != nil || stats["agent"]["name"] != "u" {
			t.Errorf("%s: %v, %v", addr, stats, err)
		}
		c.Close()
	}
}

// The answers find their requests, however many there are and in whatever
// order they come, while events stream.
func TestManyRequestsAtATime(t *testing.T) {
	f := startFake(t, func(p *peer, command string, seq uint64) {
		switch command {
		case cmdStream:
			p.body(&streamRequest{})
			_ = p.send(seq, "")
			p.userEvents(seq, 2000)
		case cmdGetCoordinate:
			var r coordinateRequest
			p.body(&r)
			p.work.Go(func() {
				time.Sleep(time.Duration(seq%7) * time.Millisecond)
				_ = p.send(seq, "", coordinateResponse{Ok: true, Coord: wireCoordinate{Vec: []float64{float64(len(r.Node))}}})
			})
		case cmdEvent:
			var r eventRequest
			p.body(&r)
			_ = p.send(seq, "refused "+r.Name)
		}
	})
	c := dial(t, f.addr, Options{})
	stream, err := c.Stream(t.Context(), "*")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			for j := range 20 {
				n := 1 + (i+j)%40
				got, err := c.Coordinate(t.Context(), strings.Repeat("x", n))
				if err != nil || got.Vec[0] != float64(n) {
					t.Errorf("Coordinate = %v, %v; want %d", got, err, n)
				}
				name := fmt.Sprintf("e%d-%d", i, j)
				if err := c.Event(t.Context(), name, nil, false); err == nil || !strings.HasSuffix(err.Error(), "says: refused "+name) {
					t.Errorf("Event %s: %v", name, err)
				}
			}
		})
	}
	for i := range 2000 {
		if e, err := stream.Next(t.Context()); err != nil || e.LTime != uint64(i+1) {
			t.Fatalf("event %d is %+v, %v", i, e, err)
		}
	}
	work.Wait()
}

// A stream that nobody reads loses events, and counts them. Nobody else
// waits.
func TestSlowReaderLoses(t *testing.T) {
	const all = 10_000
	f := startFake(t, func(p *peer, command string, seq uint64) {
		switch command {
		case cmdStream:
			p.body(&streamRequest{})
			_ = p.send(seq, "")
			p.userEvents(seq, all)
		case cmdStats:
			_ = p.send(seq, "", figures("f"))
		}
	})
	c := dial(t, f.addr, Options{Buffer: 64 << 10})
	slow, err := c.Stream(t.Context(), "*")
	if err != nil {
		t.Fatal(err)
	}
	quick, err := c.Stream(t.Context(), "*")
	if err != nil {
		t.Fatal(err)
	}
	var got uint64
	for got+quick.Lost() < all {
		if _, err := quick.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		got++
	}
	eventually(t, "all have come", func() bool {
		slow.q.mu.Lock()
		defer slow.q.mu.Unlock()
		return uint64(len(slow.q.frames))+slow.q.lost == all
	})
	if _, err := c.Stats(t.Context()); err != nil {
		t.Errorf("a request while a stream is not read: %v", err)
	}
	kept := all - slow.Lost()
	if kept == 0 || slow.Lost() == 0 {
		t.Errorf("%d were lost of %d", slow.Lost(), all)
	}
	slow.Close()
	for range kept {
		if _, err := slow.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := slow.Next(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("after the last one: %v", err)
	}
}

// Connections and streams end at any moment.
func TestCloseDuringEvents(t *testing.T) {
	f := startFake(t, func(p *peer, command string, seq uint64) {
		switch command {
		case cmdStream:
			p.body(&streamRequest{})
			_ = p.send(seq, "")
			p.userEvents(seq, 1_000_000)
		case cmdStop:
			p.body(&stopRequest{})
			_ = p.send(seq, "")
		case cmdStats:
			_ = p.send(seq, "", figures("f"))
		}
	})
	for i := range 1000 {
		c, err := Dial(t.Context(), f.addr, Options{Buffer: 4096})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := c.Stream(t.Context(), "*")
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		work.Go(func() {
			for {
				if _, err := stream.Next(t.Context()); err != nil {
					return
				}
			}
		})
		work.Go(func() { _, _ = c.Stats(t.Context()) }) // answered or not
		if i%2 == 0 {
			stream.Close()
			if _, err := c.Stats(t.Context()); err != nil {
				t.Errorf("a request after a stream was closed: %v", err)
			}
		}
		c.Close()
		work.Wait()
	}
}

// A server that does not answer costs one request its time, and no memory for
// ever.
func TestNoAnswer(t *testing.T) {
	f := startFake(t, func(p *peer, command string, seq uint64) {
		if command == cmdStats {
			return
		}
		p.body(&map[string]any{})
		_ = p.send(seq, "")
	})
	c := dial(t, f.addr, Options{Timeout: 5 * time.Second})
	_, err := c.Stats(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "has not answered within 5s") {
		t.Errorf("no answer: %v", err)
	}
	if err := c.Event(t.Context(), "e", nil, false); err != nil {
		t.Errorf("the next request: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Stats(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up by the caller: %v", err)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range maxWaiting {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				_, _ = c.Stats(ctx) // given up
				cancel()
			}
		})
	}
	work.Wait()
	c.mu.Lock()
	waiting := len(c.waiting)
	c.mu.Unlock()
	if waiting > maxWaiting {
		t.Errorf("%d requests are remembered", waiting)
	}
}

// A query ends when the agent says so, and early where it is given up.
func TestQueryEnds(t *testing.T) {
	f := startFake(t, func(p *peer, command string, seq uint64) {
		if command != cmdQuery {
			p.body(&map[string]any{})
			_ = p.send(seq, "")
			return
		}
		var r queryRequest
		p.body(&r)
		_ = p.send(seq, "")
		_ = p.send(seq, "", queryRecord{Type: recordAck, From: "a"})
		if r.Name == "whole" {
			_ = p.send(seq, "", queryRecord{Type: recordResponse, From: "a", Payload: []byte("yes")})
			_ = p.send(seq, "", queryRecord{Type: recordDone})
		}
	})
	c := dial(t, f.addr, Options{})
	a, err := c.Query(t.Context(), cluster.Query{Name: "whole"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		one, err := a.Next(t.Context())
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(one.From, one.Ack, string(one.Payload)))
	}
	if fmt.Sprint(got) != "[atrue afalseyes]" {
		t.Errorf("answers %v", got)
	}
	a.Close()
	if a, err = c.Query(t.Context(), cluster.Query{Name: "part"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Next(t.Context()); err != nil {
		t.Error(err)
	}
	a.Close()
	if _, err := a.Next(t.Context()); !errors.Is(err, errClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("an answer after Close: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.feeds)+len(c.waiting) != 0 {
		t.Errorf("%d feeds and %d requests are left", len(c.feeds), len(c.waiting))
	}
}

// Ten thousand members are an answer like any other, and a hundred thousand
// are not too many.
func TestManyMembers(t *testing.T) {
	var all atomic.Pointer[[]wireMember]
	f := startFake(t, func(p *peer, command string, seq uint64) {
		_ = p.send(seq, "", membersResponse{Members: *all.Load()})
	})
	c := dial(t, f.addr, Options{Timeout: 10 * time.Minute}) // the race detector takes its time
	for _, n := range []int{10_000, 100_000} {
		list := wireMembers(n)
		all.Store(&list)
		ms, err := c.Members(t.Context(), Filter{})
		if err != nil || len(ms) != n {
			t.Fatalf("%d members, %v", len(ms), err)
		}
	}
}

// A server that sends as much as it may, of what grows most when it is
// decoded, ends the connection or is put up with, but takes no memory to
// speak of.
func TestServerWantsMemory(t *testing.T) {
	list := func(count string, of string, n int) string {
		return "\x82\xa5Error\xa0\xa3Seq\x02\x81\xa7Members\xdd" + count + strings.Repeat(of, n)
	}
	for name, body := range map[string]string{
		"empty members":    list("\x00\x02\x00\x00", "\xc0", 128<<10),
		"too many members": list("\x00\x80\x00\x00", "\xc0", 8<<20),
		"members of tags":  list("\x00\x00\x40\x00", "\x81\xa4Tags\x8f"+strings.Repeat("\xa1x\xa0", 15), 16<<10),
		"a lie":            list("\x00\x02\x00\x00", "\x81\xa4Tags\xdf\x00\x00\xff\xff", 1),
	} {
		f := startFake(t, func(p *peer, command string, seq uint64) {
			_, _ = io.WriteString(p.conn, body)
			p.conn.Close()
		})
		c := dial(t, f.addr, Options{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = c.Members(t.Context(), Filter{}) // the error, if any, does not matter here
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 200 {
			t.Errorf("%s: %d MB", name, took)
		} else {
			t.Logf("%s: %d MB", name, took)
		}
	}
}

// BenchmarkMembers is what a list costs the client; the frame comes from
// memory.
func BenchmarkMembers(b *testing.B) {
	frame := pack(b, membersResponse{Members: wireMembers(10_000)})
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		got, err := newFrameReader(bytes.NewReader(frame), fromServer).next()
		if err != nil {
			b.Fatal(err)
		}
		var answer membersResponse
		if err := decode(got, &answer); err != nil {
			b.Fatal(err)
		}
		sortedMembers(answer.Members)
	}
}
