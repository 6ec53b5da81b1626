package rpc

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"muster/cluster"
)

// A fake speaks the protocol and does what a test wants. Handshakes and keys
// it takes as they come.
type fake struct {
	t     *testing.T
	ln    net.Listener
	addr  string
	conns atomic.Int64 // accepted so far
	do    func(p *peer, command string, seq uint64)
	work  sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]bool
	over  bool
}

// A peer is one client of a fake.
type peer struct {
	conn net.Conn
	ctx  context.Context // ends with the connection
	work *sync.WaitGroup
	dec  *codec.Decoder

	mu  sync.Mutex
	out *bufio.Writer
}

// startFake serves until the test ends.
func startFake(t *testing.T, do func(p *peer, command string, seq uint64)) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, ln: ln, addr: ln.Addr().String(), do: do, open: map[net.Conn]bool{}}
	f.work.Go(f.accept)
	t.Cleanup(func() {
		f.mu.Lock()
		f.over = true
		f.mu.Unlock()
		ln.Close()
		f.drop()
		f.work.Wait()
	})
	return f
}

// drop ends all connections.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
}

func (f *fake) accept() {
	for {
		c, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		if f.over {
			c.Close()
		}
		f.open[c] = true
		f.mu.Unlock()
		f.conns.Add(1)
		f.work.Go(func() { f.serve(c) })
	}
}

func (f *fake) serve(c net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	defer func() {
		c.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, c)
	}()
	p := &peer{
		conn: c, ctx: ctx, work: &work, out: bufio.NewWriter(c),
		dec: codec.NewDecoder(bufio.NewReader(c), newHandle()),
	}
	for {
		var h requestHeader
		if p.dec.Decode(&h) != nil {
			return
		}
		var err error
		switch h.Command {
		case cmdHandshake, cmdAuth:
			var body map[string]any
			err = p.dec.Decode(&body)
			if err == nil {
				err = p.send(h.Seq, "")
			}
		default:
			f.do(p, h.Command, h.Seq)
		}
		if err != nil {
			return
		}
	}
}

// body reads the request's body into v.
func (p *peer) body(v any) {
	if p.dec.Decode(v) != nil {
		p.conn.Close()
	}
}

// send sends a header and values.
func (p *peer) send(seq uint64, problem string, values ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := codec.NewEncoder(p.out, newHandle())
	for _, v := range append([]any{responseHeader{Seq: seq, Error: problem}}, values...) {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

// figures are what a fake of a name answers to stats.
func figures(name string) map[string]map[string]string {
	return map[string]map[string]string{
		"agent": {"name": name}, "serf": {"encrypted": "true", "health_score": "0"},
	}
}

// wireMembers are n members of a fake, n000, n001, …
func wireMembers(n int) []wireMember {
	var out []wireMember
	for i := range n {
		out = append(out, wireMember{
			Name: fmt.Sprintf("n%03d", i), Addr: []byte{127, 3, byte(i >> 8), byte(i)}, Port: 7946, Status: "alive",
			Tags: map[string]string{"role": "web", "zone": "a", "dc": "north", "weight": "100", "version": "1.2.3"},
		})
	}
	return out
}

// userEvents streams n user events.
func (p *peer) userEvents(seq uint64, n int) {
	p.work.Go(func() {
		for i := range n {
			if p.send(seq, "", userEventRecord{Event: cluster.EventUser, Name: "tick", LTime: uint64(i + 1), Payload: []byte("payload")}) != nil {
				return
			}
		}
	})
}
