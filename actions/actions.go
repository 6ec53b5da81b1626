// Package actions runs what rules do when something happens: for one event
// after another it decides which rules act, queues their actions, runs their
// commands, sends the events that follow and answers queries. It runs Serf's
// event_handlers lines and a directory of NAME.sh handlers likewise.
//
// Each rule has a bounded queue and one worker while there is something in
// it; rules do not wait for each other. A user event makes a rule act at most
// once: a ledger on disk remembers, across kill -9, what was accepted, started
// and finished. docs/acting.md says what is guaranteed and what is not.
//
// It leaves to others what rules mean (rules), how a command is kept within
// its limits (command), how events are heard and sent (cluster), and whom a
// signature belongs to (signing).
package actions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muster/cluster"
	"muster/command"
	"muster/rules"
	"muster/signing"
)

const (
	defaultMaxAge         = 5 * time.Minute
	defaultHandlerTimeout = 30 * time.Second
)

// Config is what a Runner needs.
type Config struct {
	// StateDir is where the ledger lives. It belongs to this process alone.
	StateDir string
	Logger   *slog.Logger // nil: nothing is logged
	// Send sends a user event to the cluster.
	Send func(ctx context.Context, name string, payload []byte) error
	// Trusted returns whose signatures count. Without it, or when it returns
	// nil, nobody's do, and rules that demand a signature refuse.
	Trusted func() *signing.Trusted
	// MaxAge is for how long a signed event is good; 0: 5 minutes.
	MaxAge time.Duration
	// Socket is what commands find in MUSTER_SOCKET; empty: not set.
	Socket string
	// HandlerTimeout bounds the scripts of event_handlers and of the handlers'
	// directory; 0: 30 seconds.
	HandlerTimeout time.Duration
}

// A Set is what acts.
type Set struct {
	Rules    []*rules.Rule   // those that do not act are passed over
	Handlers []rules.Handler // Serf's event_handlers
	Dir      string          // of executable NAME.sh handlers; empty: none
	// Refuse says why rules, and the handlers in Dir, may not act; empty: they
	// may. Handlers are not concerned.
	Refuse string
}

// A Runner acts. Its methods may be called from any goroutine.
type Runner struct {
	c      Config
	log    *slog.Logger
	ledger *ledger
	now    func() time.Time
	run    func(context.Context, command.Command) command.Result

	mu sync.Mutex
}

// Open reads the ledger in c.StateDir and returns a Runner that does nothing
// yet: it needs Use, Look and Run.
func Open(c Config) (*Runner, error) {
	if c.StateDir == "" {
		return nil, errors.New("cannot open the event ledger: there is no state directory")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxAge <= 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.HandlerTimeout <= 0 {
		c.HandlerTimeout = defaultHandlerTimeout
	}
	r := &Runner{c: c, log: c.Logger, now: time.Now, run: command.Run, ledger: &ledger{}}
	return r, fmt.Errorf("cannot open the event ledger: not yet")
}

// Clock returns the Lamport time of the latest user event that this node ever
// heard; 0 if there is none, as with a fresh ledger. It is what
// cluster.Config.Since wants.
func (r *Runner) Clock() uint64 { return 0 }

// Use makes s what acts from now on. Queues of rules that stay are kept.
func (r *Runner) Use(s Set) {}

// Look takes in the latest view.
func (r *Runner) Look(v cluster.View) {}

// Hear takes in an event. It never waits for a command.
func (r *Runner) Hear(e cluster.Event) {}

// Rescan looks at the handlers' directory again.
func (r *Runner) Rescan() {}

// Run acts until ctx is done, then ends the commands that run, within ten
// seconds, and closes the ledger. What waits in a queue then runs after the
// next start, if it is in the ledger.
func (r *Runner) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Problems says what keeps actions from being run or recorded as they should
// be, one line each.
func (r *Runner) Problems() []string { return nil }

// Status returns how each rule and handler that acts is doing: rules in their
// order, then event_handlers lines, then the files of the directory.
func (r *Runner) Status() []Status { return nil }

type ledger struct{}
