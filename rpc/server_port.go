package rpc

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// grace is how long requests under way have when the server ends.
const grace = time.Second

var (
	errEvicted = errors.New("it was in the way of another client")
	errEnded   = errors.New("the server ends")
)

// A port is one listener's connections. It holds no more than MaxConns: a new
// one takes the place of one that matters less. One listener's clients are
// never in the way of another's.
type port struct {
	server *Server
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
}

func newPort(s *Server) *port {
	return &port{server: s, conns: map[*conn]struct{}{}}
}

// admit serves c, if there is room or can be made.
func (p *port) admit(ctx context.Context, c net.Conn) {
	p.mu.Lock()
	full := len(p.conns) >= p.server.MaxConns
	p.mu.Unlock()
	if full && !p.makeRoom() {
		p.server.log.warn("refused a client: all connections are in use; close some that stream", "connections", p.server.MaxConns)
		c.Close()
		return
	}
	conn := newConn(ctx, p.server, c)
	p.mu.Lock()
	p.conns[conn] = struct{}{}
	p.mu.Unlock()
	p.wg.Go(func() {
		conn.serve()
		p.forget(conn)
	})
}

func (p *port) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// makeRoom ends the connection that matters least, and reports whether there
// is one that does not matter enough to stay.
func (p *port) makeRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var least *conn
	for c := range p.conns {
		if !c.busy() && (least == nil || c.lesser(least)) {
			least = c
		}
	}
	if least == nil {
		return false
	}
	delete(p.conns, least)
	least.end(errEvicted)
	return true
}

// close ends all connections, those with a request under way after grace.
func (p *port) close() {
	p.mu.Lock()
	for c := range p.conns {
		c.finish()
	}
	p.mu.Unlock()
	timer := time.AfterFunc(grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			c.end(errEnded)
		}
	})
	defer timer.Stop()
	p.wg.Wait()
}
