package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// maxEarly is how many requests are answered before a client is known.
const maxEarly = 16

var (
	errTooMuchEarly = errors.New("it asked too much before it said who it is")
	errTooManyKeys  = errors.New("it does not know the key")
	errTooSlow      = errors.New("it takes too little of what it asked for")
)

// A conn is one client's connection.
type conn struct {
	server *Server
	net    net.Conn
	in     *frameReader
	out    *writer
	born   time.Time
	pumps  sync.WaitGroup

	ctx    context.Context // until the connection ends
	cancel context.CancelCauseFunc

	mu        sync.Mutex
	finishing bool // no further request is read

	known   atomic.Bool  // it has shaken hands, and knows the key if there is one
	working atomic.Bool  // on a request
	follows atomic.Int32 // streams, monitor and queries that go on
	queries atomic.Int32 // of those
	used    atomic.Int64 // when the latest request came, in Unix nanoseconds

	// The reader's own.
	shook, authentic bool
	early            int  // requests before it was known
	wrong            int  // keys
	unread           bool // a body may follow that belongs to no command
	monitor          *monitor
	events           *events
}

func newConn(ctx context.Context, s *Server, c net.Conn) *conn {
	out := &conn{server: s, net: c, out: newWriter(c, s.WriteTimeout), born: time.Now(), authentic: s.AuthKey == ""}
	out.in = &frameReader{r: bufio.NewReader(c), limits: limits{bytes: maxEarlyFrame, elements: maxElements, depth: maxDepth}}
	out.ctx, out.cancel = context.WithCancelCause(context.WithoutCancel(ctx)) // finish ends it in time
	return out
}

// busy reports whether the client waits for something, or follows it.
func (c *conn) busy() bool { return c.working.Load() && c.known.Load() || c.follows.Load() > 0 }

// lesser reports whether c matters less than o: the one that has not said who
// it is, or else the one longer without a request.
func (c *conn) lesser(o *conn) bool {
	if known := c.known.Load(); known != o.known.Load() {
		return !known
	} else if !known {
		return c.born.Before(o.born)
	}
	return c.used.Load() < o.used.Load()
}

// end ends the connection at once, for a reason that goes into the log unless
// it is nil. Only the first reason counts. What a client that is too slow has
// not taken yet is not kept for it.
func (c *conn) end(why error) {
	c.cancel(why)
	if tcp, ok := c.net.(*net.TCPConn); ok && errors.Is(context.Cause(c.ctx), errTooSlow) {
		_ = tcp.SetLinger(0)
	}
	c.net.Close()
}

// finish ends the connection after the request under way, if there is one.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishing = true
	_ = c.net.SetReadDeadline(time.Unix(1, 0))
}

// readBy sets until when to read; the zero time means for ever.
func (c *conn) readBy(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.finishing {
		_ = c.net.SetReadDeadline(t)
	}
}

// serve answers requests until the connection ends, and cleans up.
func (c *conn) serve() {
	var err error
	for err == nil {
		err = c.request()
	}
	c.end(err)
	c.pumps.Wait()
	c.events.close()
	c.monitor.close()
	if why := context.Cause(c.ctx); worthALine(why) {
		c.server.log.warn("ended a client's connection", "client", c.net.RemoteAddr().String(), "error", why)
	}
}

// follow lets pump send what follows an answer; an error of pump's ends the
// connection.
func (c *conn) follow(pump func() error) {
	c.pumps.Go(func() {
		if err := pump(); err != nil {
			c.end(err)
		}
	})
}

// worthALine tells why a connection ended is of interest: not that the client
// left or the server ends.
func worthALine(err error) bool {
	for _, dull := range []error{nil, io.EOF, net.ErrClosed, errEnded, context.Canceled, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, dull) {
			return false
		}
	}
	return err != nil
}

// request reads one request and answers it. An error ends the connection.
func (c *conn) request() error {
	if c.known.Load() {
		c.readBy(time.Time{})
	} else {
		c.readBy(c.born.Add(c.server.HandshakeTimeout))
	}
	if _, err := c.in.r.Peek(1); err != nil {
		return c.readError(err)
	}
	c.working.Store(true)
	defer c.working.Store(false)
	c.used.Store(time.Now().UnixNano())
	if c.known.Load() {
		c.in.limits.bytes = maxFrame
		c.readBy(time.Now().Add(c.server.ReadTimeout))
	}
	var header requestHeader
	if err := c.read(&header); err != nil {
		return c.readError(err)
	}
	if c.unread && header.Command == "" {
		c.unread = false
		return nil // it was the body of what was not understood
	}
	c.unread = false
	return c.dispatch(header)
}

// readError says what a failure to read means.
func (c *conn) readError(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.finishing:
		return errEnded
	case c.known.Load():
		return errors.New("its request did not arrive in time")
	}
	return errors.New("it did not say who it is in time")
}

// read reads a frame into v.
func (c *conn) read(v any) error {
	frame, err := c.in.next()
	if err != nil {
		return err
	}
	return decode(frame, v)
}

// decode reads a value from a frame. What v gets shares nothing with it.
func decode(frame []byte, v any) error {
	if err := codec.NewDecoderBytes(frame, newHandle()).Decode(v); err != nil {
		return fmt.Errorf("%w: %v", errFrame, err)
	}
	return nil
}

// greet notes what the client has shown of itself.
func (c *conn) greet() {
	c.known.Store(c.shook && c.authentic)
}
