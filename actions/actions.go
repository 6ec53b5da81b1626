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
	"os"
	"sync"
	"time"

	"muster/cluster"
	"muster/command"
	"muster/rules"
	"muster/signing"
	"muster/timeline"
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
	// Timeline is told of each action that has ended; nil: nobody looks.
	Timeline *timeline.Log
}

// A Set is what acts.
type Set struct {
	Rules    []*rules.Rule   // those that do not act are passed over
	Handlers []rules.Handler // Serf's event_handlers
	Dir      string          // of executable NAME.sh handlers; empty: none
	// Partial says that rules may be missing, as after a start with a mistake
	// in a rule file: what waits for them goes on waiting.
	Partial bool
	// Refuse says why rules, and the handlers in Dir, may not act; empty: they
	// may. Handlers are not concerned.
	Refuse string
}

// A Runner acts. Its methods may be called from any goroutine.
type Runner struct {
	lock   *os.File // of the state directory
	c      Config
	log    *slog.Logger
	ledger *ledger
	now    func() time.Time
	exec   func(context.Context, command.Command) command.Result
	dirty  chan struct{} // one slot: the ledger has something that is not synced

	mu        sync.Mutex
	ctx       context.Context // of the commands; nil: not running
	workers   sync.WaitGroup
	set       Set
	lanes     []*lane          // in their order
	byID      map[string]*lane // also those that are gone but not idle
	recovered []*entry         // what had not ended at the start; until a Use that is not partial
	folder    folder
	world     world

	coalescer cluster.Coalescer
	flush     *time.Timer // of the coalescer; nil: nothing is held back
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
	lock, err := lockDir(c.StateDir)
	if err != nil {
		return nil, fmt.Errorf("cannot use state directory %s: %w", c.StateDir, err)
	}
	l, notices, err := openLedger(c.StateDir, time.Now, nil)
	if err != nil {
		lock.Close()
		return nil, err
	}
	for _, n := range notices {
		c.Logger.Warn(n)
	}
	return &Runner{
		lock: lock, c: c, log: c.Logger, ledger: l, now: time.Now, exec: command.Run, dirty: make(chan struct{}, 1),
		byID: map[string]*lane{}, recovered: l.open(),
	}, nil
}

// Clock returns the Lamport time of the latest user event that this node ever
// heard; 0 if there is none, as with a fresh ledger. It is what
// cluster.Config.Since wants.
func (r *Runner) Clock() uint64 { return r.ledger.latest() }

// Run acts until ctx is done, then ends the commands that run, within ten
// seconds, and closes the ledger. What waits in a queue then runs after the
// next start, if it is in the ledger.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.ctx = ctx
	for _, l := range r.lanes {
		r.wake(l)
	}
	r.mu.Unlock()

	r.keepSynced(ctx)

	r.mu.Lock()
	r.stopTimers()
	r.mu.Unlock()
	r.workers.Wait() // each ends within four seconds of its context
	return r.Close()
}

// Close gives the state directory back. It is for a Runner that was never run.
func (r *Runner) Close() error { return errors.Join(r.ledger.close(), r.lock.Close()) }

// How long what need not be on disk at once may wait for it.
const syncPeriod = time.Second

// keepSynced syncs the ledger now and then while there is something to sync.
func (r *Runner) keepSynced(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.dirty:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(syncPeriod):
		}
		if r.ledger.sync() != nil {
			r.touch() // see Problems
		}
	}
}

// touch notes that the ledger has something to sync.
func (r *Runner) touch() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}
