// Package haproxy tells a running haproxy over its socket which servers its
// backends have.
//
// What a haproxy can be told is told without a reload: addresses, weights and
// states of servers, and from haproxy 2.5 on servers that come and go. A
// server that goes drains first. The texts that are pushed are those of
// configuration files; Pushable says whether pushing is enough to get from one
// to another. What the package leaves to others is writing these files,
// reloading haproxy, and the decision when to do which.
//
// The socket and its commands are described in haproxy's management guide,
// "Unix Socket commands"; what is said here of replies was seen with 2.6.
package haproxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrReload is in the errors of pushes that cannot succeed until haproxy has
// loaded the file anew.
var ErrReload = errors.New("it takes a reload")

const (
	defaultTimeout = 5 * time.Second
	// drainPoll is how often a draining server is looked at.
	drainPoll = time.Second
	// firstLinger is how soon it is tried again to delete a server that has
	// drained for long enough and still has connections; the wait doubles up
	// to lingerPoll.
	firstLinger = 100 * time.Millisecond
	lingerPoll  = 10 * time.Second
)

// A Config is what a Runtime needs to know.
type Config struct {
	// Socket is haproxy's stats socket, of level admin, spelled as in its
	// configuration: a path, unix@PATH, ipv4@ADDRESS:PORT or
	// ipv6@[ADDRESS]:PORT.
	Socket string

	// Drain is how long a server that goes may finish what it is at. It goes
	// earlier when it has no connection left; with 0 it goes at once.
	Drain time.Duration

	// Timeout is how long haproxy may take for one answer: 5 s, if it is 0.
	Timeout time.Duration

	// Now is the clock: time.Now, if it is nil.
	Now func() time.Time
}

// A Runtime pushes to one haproxy. It remembers since when servers drain, and
// nothing else that matters: a new Runtime lets them drain anew. Its methods
// may be called by several goroutines; they wait for each other.
type Runtime struct {
	config Config

	mu      sync.Mutex
	leaving map[string]map[string]departure // by backend, and by server
	options map[string]map[string]string    // of the servers last wanted, likewise
}

// A Result says what a push did, or would do.
type Result struct {
	// Commands are those that were sent, one line each, made of nothing but
	// letters, digits and a few signs. If haproxy stopped answering, the last
	// of them may not have been sent.
	Commands []string

	// Draining are the servers that shall go and are not gone yet, as
	// BACKEND/SERVER, sorted; in a Diff with those that would begin to.
	Draining []string

	// Again is when to push again though nothing has changed, for a server
	// drains; it is zero, if none does.
	Again time.Time
}

// New returns a Runtime for one haproxy. It does not connect.
func New(c Config) *Runtime {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Runtime{config: c, leaving: map[string]map[string]departure{}, options: map[string]map[string]string{}}
}

// Push makes haproxy's servers what the texts say, in all backends that stand
// in them and in no others. It goes by what haproxy has now, so it may be
// called at any time; when there is nothing to do, it asks once and sends
// nothing. Servers that the texts lack are drained and removed, over several
// calls: see Result.Again.
//
// Where something cannot be done, the rest is done all the same, and the error
// names the first few things that could not. ErrReload is in it if a reload
// would help.
func (r *Runtime) Push(ctx context.Context, wanted ...[]byte) (Result, error) {
	return r.run(ctx, wanted, false)
}

// Diff says what Push would send now. It changes nothing.
func (r *Runtime) Diff(ctx context.Context, wanted ...[]byte) (Result, error) {
	return r.run(ctx, wanted, true)
}

func (r *Runtime) run(ctx context.Context, wanted [][]byte, dry bool) (Result, error) {
	backends, err := readBackends(wanted)
	if err != nil || len(backends) == 0 {
		return Result{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := dial(ctx, r.config.Socket, r.config.Timeout)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	plans, errs, err := r.look(c, backends)
	if err != nil {
		return Result{}, err
	}
	result := summary(plans)
	if dry {
		result.Draining, result.Again = drains(plans)
		return result, join(append(errs, problems(plans)...))
	}
	if len(result.Commands) > 0 {
		refusals, err := c.carryOut(plans)
		if err != nil {
			return result, err
		}
		// It is the state that counts, not what was answered.
		errs = append(errs, refusals...)
		after, _, err := r.look(c, backends)
		if err != nil {
			return result, err
		}
		if len(errs) == 0 {
			errs = append(errs, undone(after)...)
		}
	}
	r.remember(plans)
	result.Draining, result.Again = drains(plans)
	return result, join(append(errs, problems(plans)...))
}

// look asks haproxy for the state of the backends, and compares it with what
// is wanted. The errors of backends that haproxy does not have are errs; err
// says that haproxy cannot be asked.
func (r *Runtime) look(c *conn, backends []*backend) (plans []*plan, errs []error, err error) {
	now := r.config.Now()
	replies, err := c.ask(stateCommands(backends)...)
	if err != nil {
		return nil, nil, err
	}
	var counted []string // the commands that count connections
	for i, b := range backends {
		servers, err := readState(b.name, replies[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p := &plan{backend: b, now: now, drain: r.config.Drain, live: servers, before: r.leaving[b.name], known: r.options[b.name]}
		p.assign()
		if p.drains() {
			counted = append(counted, "show servers conn "+b.name)
		}
		plans = append(plans, p)
	}
	if len(counted) > 0 {
		replies, err := c.ask(counted...)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range plans {
			if i := slices.Index(counted, "show servers conn "+p.backend.name); i >= 0 {
				p.connections = readConnections(replies[i])
			}
		}
	}
	for _, p := range plans {
		p.compare()
	}
	return plans, errs, nil
}
