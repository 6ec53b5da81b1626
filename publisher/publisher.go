// Package publisher publishes the services that this node's configuration
// names while their checks pass, and withdraws them while they fail.
//
// It owns these services' part of the tag `services`, by type and port, and
// leaves alone what somebody else has put there. It also finds in those tags
// what the members publish. How the tag is written is package services', how it
// is gossiped the caller's.
package publisher

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"muster/cluster"
	"muster/command"
	"muster/services"
)

const (
	// gap is the least time between two changes of the tag: each is gossiped
	// to the whole cluster, and may render files there.
	gap = time.Second
	// resync is how often the tag is looked at though nothing has changed:
	// somebody else may have written it, or the node's address be another.
	resync = 10 * time.Second
	// atOnce is how many checks run at a time.
	atOnce = 4
	// maxOutput bounds what is kept of a check's output, in bytes.
	maxOutput = 512
)

// Config is what a Publisher needs.
type Config struct {
	View func() cluster.View
	// SetTags lets change alter a copy of this node's tags, and gossips it.
	SetTags func(ctx context.Context, change func(map[string]string)) error
	Logger  *slog.Logger
	Wanted  Wanted
}

// Wanted is what is to be published.
type Wanted struct {
	Cloud    string // in HOST.CLOUD.local
	Services []Service
}

// A Service is one that the configuration names.
type Service struct {
	Name string // unique
	// Service is what is published; its Host is set here, and an empty IP
	// becomes the node's address.
	services.Service
	Check    *command.Command // nil: published always
	Interval time.Duration    // between the beginnings of two checks
	Failures int              // in a row, after which it is withdrawn
	Passes   int              // in a row, after which it is published again
}

// A Publisher keeps the tag in step with the checks.
type Publisher struct {
	cfg     Config
	wake    chan struct{} // one slot
	results chan result
	slots   chan struct{}

	mu       sync.Mutex
	cloud    string
	entries  []*entry
	former   map[string]bool // keys that are ours no more, to be taken out
	problem  string          // why the tag could not be written
	tagBytes int             // of all tags, when last looked at
	dirty    bool
	last     *draft
}

// A result is what came of a check.
type result struct {
	of  *entry
	res command.Result
}

// New returns a Publisher for what is wanted.
func New(cfg Config) *Publisher {
	p := &Publisher{cfg: cfg, wake: make(chan struct{}, 1), results: make(chan result), slots: make(chan struct{}, atOnce), former: map[string]bool{}}
	p.Set(cfg.Wanted)
	return p
}

// Set changes what is wanted. What is the same as before goes on as it was.
func (p *Publisher) Set(w Wanted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next []*entry
	for _, s := range w.Services {
		i := slices.IndexFunc(p.entries, func(e *entry) bool { return e.sameCheck(s) })
		if i < 0 {
			next = append(next, newEntry(s, time.Now()))
			continue
		}
		p.entries[i].Service = s
		next = append(next, p.entries[i])
	}
	for _, e := range p.entries {
		if !slices.ContainsFunc(next, func(n *entry) bool { return n == e }) {
			e.dropped = true
			p.former[e.Key()] = true
		}
	}
	for _, e := range next {
		delete(p.former, e.Key())
	}
	p.entries, p.cloud, p.dirty = next, w.Cloud, true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run checks and publishes until ctx ends. What is published stays so: the
// node leaves with it, or fails.
func (p *Publisher) Run(ctx context.Context) error {
	var checks sync.WaitGroup
	defer checks.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var written, looked time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-p.results:
			p.take(r, time.Now())
		case <-p.wake:
		case <-timer.C:
		}
		now := time.Now()
		p.begin(ctx, &checks, now)
		if p.due(now.Sub(looked) >= resync) && now.Sub(written) >= gap {
			if p.write(ctx) {
				written = time.Now()
			}
			looked = time.Now()
		}
		timer.Reset(time.Until(p.next(written, looked)))
	}
}

// begin starts the checks whose time has come.
func (p *Publisher) begin(ctx context.Context, checks *sync.WaitGroup, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		if e.Check == nil || e.running || now.Before(e.at) {
			continue
		}
		e.running, e.at = true, now.Add(e.Interval)
		check := *e.Check
		checks.Go(func() {
			select {
			case p.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			res := command.Run(ctx, check)
			<-p.slots
			select {
			case p.results <- result{e, res}:
			case <-ctx.Done():
			}
		})
	}
}

// take makes a check's result that of its service.
func (p *Publisher) take(r result, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.of.running = false
	if r.of.dropped {
		return
	}
	if r.of.judge(r.res, now, p.cfg.Logger) {
		p.dirty = true
	}
}

// due reports whether the tag is to be looked at.
func (p *Publisher) due(resync bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.entries)+len(p.former) > 0 && (p.dirty || resync)
}

// next is when there is something to do again, if nothing happens before.
func (p *Publisher) next(written, looked time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.entries)+len(p.former) == 0 {
		return time.Now().Add(resync) // nothing is ever looked at
	}
	next := looked.Add(resync)
	if p.dirty {
		next = written.Add(gap)
		if looked.After(written) {
			next = looked.Add(gap)
		}
	}
	for _, e := range p.entries {
		if e.Check != nil && !e.running && e.at.Before(next) {
			next = e.at
		}
	}
	return next
}

// write brings the tag in step, and reports whether that changed it. What
// cannot be done now is tried again at the next resync.
func (p *Publisher) write(ctx context.Context) (changed bool) {
	self := p.cfg.View().SelfMember()
	if self.Name == "" {
		return false // an agent that is followed has not been reached yet
	}
	p.mu.Lock()
	d := newDraft(p.entries, p.former, p.cloud, self, p.last)
	p.dirty = false
	p.mu.Unlock()

	err := p.cfg.SetTags(ctx, d.change)

	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil && err.Error() != p.problem {
			p.cfg.Logger.Error("cannot publish the services", "error", err)
		}
		p.problem = err.Error()
		return true // so that it is not tried at once
	}
	p.problem, p.tagBytes, p.last = "", d.bytes, d
	for _, e := range d.entries {
		e.settle(d.outcome[e.Key()], p.cfg.Logger)
	}
	maps.DeleteFunc(p.former, func(key string, _ bool) bool { return d.former[key] })
	if d.unread != nil {
		p.cfg.Logger.Warn("this node's own tag is replaced", "why", d.unread)
	}
	return d.changed
}

// Report is how things are.
func (p *Publisher) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Report{Cloud: p.cloud, Problem: p.problem, Bytes: p.tagBytes, Max: Budget}
	for _, e := range p.entries {
		r.Each = append(r.Each, e.status())
	}
	return r
}

// A Report is what a Publisher has to tell.
type Report struct {
	Cloud   string   `json:"cloud"`
	Problem string   `json:"problem,omitempty"` // why the tag could not be written
	Bytes   int      `json:"bytes,omitempty"`   // of Max, that all tags of this node take
	Max     int      `json:"max"`
	Each    []Status `json:"each,omitempty"`
}

// String names a service in messages.
func (s Service) String() string { return fmt.Sprintf("%s (%s)", s.Name, s.Key()) }
