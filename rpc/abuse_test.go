package rpc_test

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Clients that begin a stream and are gone while events come: what has killed
// Serf's own agent within two seconds.
func TestStreamsComeAndGo(t *testing.T) {
	rounds, p := int64(100_000), hunt(t, 1024)
	if testing.Short() || raceEnabled {
		rounds = 5_000
	}
	const loops = 8
	var round, heard atomic.Int64
	p.abuse(func() {
		ctx, stop := context.WithCancel(context.Background())
		var wg, sender sync.WaitGroup
		sender.Go(func() { p.sendUntil(t, ctx) })
		for range loops {
			wg.Go(func() {
				for round.Add(1) <= rounds {
					if n, err := p.comeAndGo(); err != nil {
						t.Error(err)
						return
					} else if n > 0 {
						heard.Add(1)
					}
				}
			})
		}
		wg.Wait()
		stop()
		sender.Wait()
	})
	if heard.Load() < rounds/1000 {
		t.Errorf("of %d streams only %d have heard an event", rounds, heard.Load())
	}
	t.Logf("%d streams, of which %d have heard an event", rounds, heard.Load())
}

// comeAndGo begins a stream, waits for the answer, maybe for more, and hangs
// up. It returns how much more it has heard.
func (p *prey) comeAndGo() (int, error) {
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(0) // as a client that was killed
	if _, err := c.Write([]byte(handshake + request("stream", 1) + "\x81\xa4Type\xa1*")); err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	want := len(answer(0, "") + answer(1, ""))
	buf := make([]byte, 4096)
	for got := 0; ; {
		n, err := c.Read(buf)
		if err != nil {
			return 0, err
		}
		if got += n; got >= want {
			return got - want, nil
		}
	}
}

// sendUntil sends 200 user events a second through the RPC until ctx ends:
// more than gossip carries, and what Serf keeps of them stays out of sight.
func (p *prey) sendUntil(t *testing.T, ctx context.Context) {
	c := p.dial(t, "")
	for ctx.Err() == nil {
		if err := c.UserEvent("tick", []byte("tock"), false); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// 500 clients that say nothing, where there are 256 descriptors.
func TestIdleClients(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "half a request": "\x82\xa7Comm", "known": handshake} {
		t.Run(name, func(t *testing.T) {
			p := hunt(t, 256)
			p.abuse(func() {
				for range 500 {
					p.raw(t).say(first)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// A client that asks for everything and reads nothing.
func TestClientNeverReads(t *testing.T) {
	const clients = 4
	p := hunt(t, 1024)
	p.abuse(func() {
		ctx, stop := context.WithCancel(context.Background())
		var sender sync.WaitGroup
		sender.Go(func() { p.sendUntil(t, ctx) })
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				w := p.raw(t)
				_ = w.Conn.(*net.TCPConn).SetReadBuffer(4096)
				w.say(handshake)
				for i := range 64 {
					w.say(request("stream", byte(i)), "\x81\xa4Type\xa1*")
				}
				w.say(request("monitor", 100), "\x81\xa8LogLevel\xa5trace")
				// Until the server hangs up, of which a client that has no room
				// for what it is sent may not hear.
				_ = w.SetWriteDeadline(time.Now().Add(5 * time.Second))
				asking := strings.Repeat(request("stats", 101), 100)
				for range 20_000 {
					if _, err := w.Write([]byte(asking)); err != nil {
						return
					}
				}
				t.Error("the server has swallowed 2,000,000 requests")
			})
		}
		wg.Wait()
		eventually(t, "all are sent away", func() bool {
			return strings.Count(p.Book.String(), "it takes too little of what it asked for") == clients
		})
		stop()
		sender.Wait()
	})
}

// Frames that are too long, or claim to be, or are too deep.
func TestMonstrousFrames(t *testing.T) {
	four := func(kind byte, n uint32) string {
		return string(binary.BigEndian.AppendUint32([]byte{kind}, n))
	}
	megabyte := strings.Repeat("x", 1<<20)
	event := request("event", 1) + "\x82\xa4Name\xa1x\xa7Payload"
	for name, m := range map[string]struct {
		say  string
		then string // again and again, 300 times
	}{
		"300 MB of payload":                 {handshake + event + four(0xc6, 300<<20), megabyte},
		"300 MB of payload, in good pieces": {handshake + request("event", 1) + "\xdd\x00\x10\x00\x00", "\xc6\x00\x0f\xff\xfb" + megabyte[5:]},
		"300 MB before the handshake":       {request("handshake", 1) + "\x81\xa7Version" + four(0xdb, 300<<20), megabyte},
		"a command of 300 MB":               {handshake + "\x82\xa7Command" + four(0xdb, 300<<20), megabyte},
		"an array of four billion":          {handshake + request("join", 1) + "\x82\xa8Existing" + four(0xdd, 1<<32-1), megabyte},
		"a map of four billion":             {handshake + request("tags", 1) + "\x81\xa4Tags" + four(0xdf, 1<<32-1), megabyte},
		"deep":                              {handshake + request("event", 1), strings.Repeat("\x91", 1<<20)},
		"deep in an unknown key":            {handshake + request("event", 1) + "\x81\xa5Extra", strings.Repeat("\x81\xa1a", 1<<18)},
		"deep in the header":                {handshake, strings.Repeat("\x81\xa1a", 1<<18)},
		"no MessagePack":                    {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", megabyte},
		"noise":                             {handshake, strings.Repeat("\xc1\xc7\xff\x00", 1<<18)},
	} {
		t.Run(name, func(t *testing.T) {
			p := hunt(t, 1024)
			p.abuse(func() {
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						w := p.raw(t)
						w.say(m.say)
						for i := range 300 {
							if _, err := w.Write([]byte(m.then)); err != nil {
								break
							} else if i == 299 {
								t.Error("the server has swallowed 300 MB")
							}
						}
						w.ends()
					})
				}
				wg.Wait()
			})
		})
	}
}
