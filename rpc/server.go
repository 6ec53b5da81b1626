package rpc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"muster/cluster"
	"muster/logs"
)

// A ServerConfig says what a Server serves, and to whom.
type ServerConfig struct {
	// Node is what the clients see and control.
	Node *cluster.Node
	// AuthKey is what a client must know, on every listener of this server;
	// empty lets in everybody who can connect.
	AuthKey string
	// Leave is called when a client asks for a graceful leave, which is
	// answered when it returns: the agent leaves, and ends Serve's context
	// after that. Nil refuses.
	Leave func()
	// Logs is what monitors see; nil refuses them.
	Logs *logs.Log
	// Info is what the command stats shows; nil means Node.Stats.
	Info func() map[string]map[string]string
	// Logger takes the log; nil discards it.
	Logger *slog.Logger

	// MaxConns bounds the connections of one listener; default 64.
	MaxConns int
	// HandshakeTimeout is how long a client may take to say who it is;
	// default 10s.
	HandshakeTimeout time.Duration
	// ReadTimeout is how long a request may take to arrive from its first
	// byte on; default 10s.
	ReadTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is sent to
	// it; default 10s.
	WriteTimeout time.Duration
	// RequestTimeout bounds the work on one request; default 1m.
	RequestTimeout time.Duration
	// AuthDelay is how long the answer to a wrong key takes; default 1s. The
	// third one ends the connection.
	AuthDelay time.Duration
}

// A Server lets Serf's clients see and control a node. Each connection has
// one goroutine that reads and answers one request after the other, and one
// for each of events, log and queries that it follows; what they send takes
// turns. A client may be slow, silent, or hostile: it costs little, and that
// only until it is in the way of another.
type Server struct {
	ServerConfig
	log      *throttle
	key      [sha256.Size]byte // of AuthKey
	versions *versionBook

	mu      sync.Mutex
	serving int   // listeners
	tape    *tape // nil: nobody has streamed yet
}

// NewServer returns a server that serves nothing yet.
func NewServer(c ServerConfig) *Server {
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.MaxConns = cmp.Or(c.MaxConns, 64)
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 10*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, time.Minute)
	c.AuthDelay = cmp.Or(c.AuthDelay, time.Second)
	if c.Info == nil {
		c.Info = c.Node.Stats
	}
	return &Server{
		ServerConfig: c, log: &throttle{log: c.Logger, budget: logs.Budget{Lines: maxLines, Window: logWindow}}, key: sha256.Sum256([]byte(c.AuthKey)),
		versions: &versionBook{ask: c.Node.Versions},
	}
}

// knows reports whether key is the right one, taking as long for every key of
// the same length.
func (s *Server) knows(key string) bool {
	sum := sha256.Sum256([]byte(key))
	return s.AuthKey == "" || subtle.ConstantTimeCompare(sum[:], s.key[:]) == 1
}

// begin notes that a listener is served.
func (s *Server) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving++
}

// end is the end of begin. The last one ends the tape.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving--; s.serving == 0 && s.tape != nil {
		s.tape.close()
		s.tape = nil
	}
}

// cursor returns a connection's cursor on the node's events.
func (s *Server) cursor(end func(error)) *cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tape == nil {
		s.tape = startTape(s.Node)
	}
	return s.tape.cursor(end)
}

const (
	acceptBackoff    = 5 * time.Millisecond // after the first failure; it doubles
	maxAcceptBackoff = time.Second
)

// Serve serves ln until ctx is done, when it lets requests under way finish
// within a second, and returns when every connection is closed, ln too. It
// returns an error if ln is unfit or fails for good. Several may be served.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if err := checkExposure(ln.Addr(), s.AuthKey); err != nil {
		return fmt.Errorf("cannot serve the RPC on %s: %w", ln.Addr(), err)
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	s.begin()
	defer s.end()
	p := newPort(s)
	defer p.close()
	backoff := acceptBackoff
	for {
		c, err := ln.Accept()
		if err == nil {
			backoff = acceptBackoff
			p.admit(ctx, c)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("cannot serve the RPC on %s: %w", ln.Addr(), err)
		}
		s.log.warn("cannot accept a client", "error", err, "again in", backoff)
		if errors.Is(err, syscall.EMFILE) && backoff > acceptBackoff {
			p.makeRoom()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxAcceptBackoff)
	}
}
