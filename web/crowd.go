package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// mostGuests is how many connections there may be at once, on each listener.
const mostGuests = 128

// A crowd is a listener that bounds its connections. When there are too many,
// the one that has been there longest without a request that is kept has to go:
// one that is idle, whose request comes a byte at a time, or whose answer is
// taken so. If all are kept, the newcomer is sent away.
type crowd struct {
	net.Listener
	most int

	mu     sync.Mutex
	guests map[*guest]bool
}

func newCrowd(ln net.Listener, most int) *crowd {
	return &crowd{Listener: ln, most: most, guests: map[*guest]bool{}}
}

// A guest is one connection.
type guest struct {
	net.Conn
	crowd *crowd

	// Under the crowd's mutex.
	served int       // requests that are being answered, and kept
	since  time.Time // it came, or its last kept request was answered
}

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: conn, crowd: c, since: time.Now()}
		leaving, ok := c.admit(g)
		if leaving != nil {
			_ = leaving.Conn.Close()
		}
		if ok {
			return g, nil
		}
		_ = conn.Close()
	}
}

// admit makes room for g, and returns who has to leave for that.
func (c *crowd) admit(g *guest) (leaving *guest, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.guests) >= c.most {
		for other := range c.guests {
			if other.served == 0 && (leaving == nil || other.since.Before(leaving.since)) {
				leaving = other
			}
		}
		if leaving == nil {
			return nil, false
		}
		delete(c.guests, leaving)
	}
	c.guests[g] = true
	return leaving, true
}

func (g *guest) Close() error {
	g.crowd.mu.Lock()
	delete(g.crowd.guests, g)
	g.crowd.mu.Unlock()
	return g.Conn.Close()
}

type guestKey struct{}

// know is a server's ConnContext: it lets serve find the connection again.
func know(ctx context.Context, conn net.Conn) context.Context {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	return context.WithValue(ctx, guestKey{}, conn)
}

// keep makes the request's connection stay while the request is answered,
// until done is called: the request is of somebody who may. Others might read
// their answers a byte at a time.
func keep(r *http.Request) (done func()) {
	g, ok := r.Context().Value(guestKey{}).(*guest)
	if !ok {
		return func() {}
	}
	g.serve(1)
	return func() { g.serve(-1) }
}

func (g *guest) serve(n int) {
	g.crowd.mu.Lock()
	defer g.crowd.mu.Unlock()
	g.served += n
	g.since = time.Now()
}
