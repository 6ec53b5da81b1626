package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Options says how a Client talks to an agent.
type Options struct {
	// AuthKey is the agent's rpc_auth; empty where it has none.
	AuthKey string
	// Timeout is how long one request may take; default 10s. Those that make
	// the agent wait for others, like a join, get as much longer as Serf
	// gives them.
	Timeout time.Duration
	// Buffer is how many bytes are kept of a stream that is not read as fast
	// as it comes; default 4 MiB. What does not fit is lost.
	Buffer int

	attached bool // settings, not flags, say where the agent is
}

// setting names what says something about the agent: a flag and a variable,
// or, of an agent that is followed, a key of the configuration.
func (o Options) setting(flags, key string) string {
	if o.attached {
		return key
	}
	return flags
}

func (o Options) keySetting() string {
	return o.setting("--rpc-auth or SERF_RPC_AUTH", "our rpc_auth") + " must be its rpc_auth"
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Buffer <= 0 {
		o.Buffer = 4 << 20
	}
	return o
}

// A Client is a connection to a Serf agent's RPC, be it Serf's own agent or
// ours. Its methods may be called from any goroutine, and many at a time: the
// answers find their requests. Each takes until its context ends, at most
// Options.Timeout. Serf's own agent does one request of a connection after the
// other, so that behind a slow one the next may time out.
type Client struct {
	addr    string
	timeout time.Duration
	buffer  int
	keyHint string
	conn    net.Conn
	out     chan outgoing // to the writer
	done    chan struct{} // closed when the connection has ended
	workers sync.WaitGroup

	mu      sync.Mutex
	seq     uint64
	waiting map[uint64]*call
	feeds   map[uint64]feed
	err     error
}

// remote returns the agent's address if the connection, which nothing
// encrypts, may leave this machine; empty if it does not.
func (c *Client) remote() string {
	to, ok := c.conn.RemoteAddr().(*net.TCPAddr)
	if !ok || to.IP.IsLoopback() {
		return ""
	}
	if from, ok := c.conn.LocalAddr().(*net.TCPAddr); ok && from.IP.Equal(to.IP) {
		return ""
	}
	return to.String()
}

// An outgoing is a request on its way. It is not sent once its context has
// ended.
type outgoing struct {
	ctx   context.Context
	frame []byte
}

// maxWaiting is how many requests may be without an answer.
const maxWaiting = 1024

// A call is a request whose answer has not come yet.
type call struct {
	kind  answerKind
	feed  feed       // what gets the records that follow an answer without error
	reply chan reply // one slot
}

// An answerKind says whether a body follows the header of an answer.
type answerKind int

const (
	headerOnly   answerKind = iota
	withBody                // unless the header holds an error
	bodyAfterAll            // even then
)

type reply struct {
	problem string // the agent's word
	body    []byte
}

// A feed takes the records of a stream. They are valid during the call only.
type feed interface {
	put(record []byte)
	end(why error)
}

// errClosed is why nothing more comes after Close.
var errClosed = errors.New("the connection was closed")

// Done is closed when the connection has ended. Err says why then.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended; nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and what waits for it.
func (c *Client) Close() error {
	c.fail(errClosed)
	c.workers.Wait()
	return nil
}

// newClient starts a client on conn.
func newClient(conn net.Conn, addr string, o Options) *Client {
	c := &Client{
		addr: addr, timeout: o.Timeout, buffer: o.Buffer, conn: conn, keyHint: o.keySetting(),
		out: make(chan outgoing), done: make(chan struct{}),
		waiting: map[uint64]*call{}, feeds: map[uint64]feed{},
	}
	c.workers.Go(c.write)
	c.workers.Go(c.read)
	return c
}

// fail ends the connection, and all that waits for it, for a reason. The
// first reason counts.
func (c *Client) fail(why error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = why
	feeds := c.feeds
	c.feeds = nil
	c.mu.Unlock()
	c.conn.Close()
	close(c.done)
	for _, f := range feeds {
		f.end(why)
	}
}

// write sends what is to be sent. An agent that does not take it within the
// time-out is given up.
func (c *Client) write() {
	for {
		select {
		case o := <-c.out:
			if o.ctx.Err() != nil {
				continue
			}
			// A connection without deadlines has ended, as Write will say.
			_ = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
			if _, err := c.conn.Write(o.frame); err != nil {
				c.fail(fmt.Errorf("lost the Serf agent at %s: %s", c.addr, reason(err)))
				return
			}
		case <-c.done:
			return
		}
	}
}

// read hands out what the agent says until the connection ends.
func (c *Client) read() {
	frames := newFrameReader(c.conn, fromServer)
	var body func([]byte) // takes the frame after a header; nil: nobody waits for it
	for began := false; ; began = true {
		frame, err := frames.next()
		if err != nil {
			if body != nil {
				body(nil)
			}
			c.fail(c.broken(err, began))
			return
		}
		switch {
		case !isHeader(frame) && !began:
			c.fail(fmt.Errorf("%s does not speak Serf's RPC", c.addr))
			return
		case !isHeader(frame):
			if body != nil {
				body(frame)
				body = nil
			}
			continue
		case body != nil:
			body(nil)
		}
		var h responseHeader
		if err := decode(frame, &h); err != nil {
			c.fail(fmt.Errorf("cannot understand the Serf agent at %s: %w", c.addr, err))
			return
		}
		body = c.answered(h)
	}
}

// broken says why the connection ended in the middle of things.
func (c *Client) broken(err error, began bool) error {
	switch {
	case errors.Is(err, errFrame):
		if !began {
			return fmt.Errorf("%s does not speak Serf's RPC", c.addr)
		}
		return fmt.Errorf("cannot understand the Serf agent at %s: %w", c.addr, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if !began {
			return fmt.Errorf("the Serf agent at %s closed the connection at once; is that its RPC, and not the port of the gossip?", c.addr)
		}
		return fmt.Errorf("the Serf agent at %s closed the connection", c.addr)
	}
	return fmt.Errorf("lost the Serf agent at %s: %s", c.addr, reason(err))
}

// isHeader tells a header from a body: no body begins like one.
func isHeader(frame []byte) bool {
	rest, isMap := bytes.CutPrefix(frame, []byte{0x82})
	return isMap && (bytes.HasPrefix(rest, []byte("\xa3Seq")) || bytes.HasPrefix(rest, []byte("\xa5Error")))
}

// answered takes in a header and returns what takes the body after it.
func (c *Client) answered(h responseHeader) func(body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil
	}
	if f, ok := c.feeds[h.Seq]; ok {
		return func(record []byte) {
			if record != nil {
				f.put(record)
			}
		}
	}
	call, ok := c.waiting[h.Seq]
	if !ok {
		return nil
	}
	delete(c.waiting, h.Seq)
	if call.feed != nil && h.Error == "" {
		c.feeds[h.Seq] = call.feed
	}
	if call.kind == headerOnly || call.kind == withBody && h.Error != "" || c.outside(h.Error) != nil {
		call.reply <- reply{problem: h.Error}
		return nil
	}
	return func(body []byte) { call.reply <- reply{problem: h.Error, body: bytes.Clone(body)} }
}

// outside is the error of an agent that has not let this client in, after
// which nothing on this connection makes sense; nil for any other.
func (c *Client) outside(problem string) error {
	switch problem {
	case errAuthRequired:
		return fmt.Errorf("the Serf agent at %s demands a key: %s", c.addr, c.keyHint)
	case errHandshakeRequired:
		return fmt.Errorf("the Serf agent at %s has forgotten the handshake", c.addr)
	}
	return nil
}
