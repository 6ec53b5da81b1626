// Package drain keeps whether this node is draining: taking no new work. The
// node itself or whoever holds a key that it trusts says so; it is kept in the
// state directory until it is taken back, and shown to the cluster in a tag.
//
// What others make of the tag is for rules, and whether they have done so for
// fleet; who may ask on the spot for web.
package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"muster/cluster"
	"muster/signing"
)

// Tag is the tag of a node that drains, and shown what it then says. With what
// Serf adds it takes 15 bytes of the 512 that tags have.
const (
	Tag   = cluster.DrainTag
	shown = "1"
)

// Config is what a Drain needs.
type Config struct {
	// Dir is the state directory. It belongs to this process alone.
	Dir string
	// Self is this node as the cluster sees it; the zero Member before it is
	// in the cluster.
	Self func() cluster.Member
	// SetTags lets change alter a copy of this node's tags, and gossips them.
	SetTags func(ctx context.Context, change func(map[string]string)) error
	// Trusted returns whose requests count; nil, or if it returns nil:
	// nobody's.
	Trusted func() *signing.Trusted
	MaxAge  time.Duration // for how long a request is good
	Logger  *slog.Logger  // nil discards
}

// A Drain is whether this node drains. Its methods may be called from any
// goroutine.
type Drain struct {
	c     Config
	log   *slog.Logger
	path  string
	turn  chan struct{}      // one slot, held by whoever changes something
	asked chan cluster.Event // requests that wait for Run
	now   func() time.Time

	mu      sync.Mutex // of content, which only who has the turn replaces
	content content
	problem string // with the tag, as last logged
}

// maxAsked is how many requests may wait. Those that do not fit get no answer.
const maxAsked = 16

// Open reads from the state directory whether this node drains. A file that is
// broken is put aside, and the node does not drain.
func Open(c Config) (*Drain, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Drain{
		c: c, log: c.Logger, path: filepath.Join(c.Dir, fileName),
		turn: make(chan struct{}, 1), asked: make(chan cluster.Event, maxAsked), now: time.Now,
	}
	var err error
	d.content, err = read(d.path)
	if errors.Is(err, errBroken) {
		aside := d.path + ".broken"
		c.Logger.Warn("it is lost whether this node drains", "error", err, "kept", aside)
		err = os.Rename(d.path, aside)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read whether this node drains: %w", err)
	}
	return d, nil
}

// A State is whether a node drains.
type State struct {
	Node     string `json:"node"`
	Draining bool   `json:"draining"`
	// Since is when it was drained; zero where the tag was set by hand.
	Since time.Time `json:"since,omitzero"`
}

// State returns whether this node drains, by an order or by its tag alone.
func (d *Drain) State() State {
	self := d.c.Self()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := State{Node: self.Name, Draining: self.Draining() || d.content.Draining}
	if d.content.Draining {
		s.Since = time.UnixMilli(d.content.Since)
	}
	return s
}

// Set drains this node, or takes it back. It is no mistake if it was so. When
// it returns without an error it is on disk and in the tag, which the cluster
// hears of within seconds. An error leaves all as it was.
func (d *Drain) Set(ctx context.Context, drain bool) (State, error) {
	return d.set(ctx, drain, nil)
}

// set is Set. signed is whose request it is; nil: nobody's.
func (d *Drain) set(ctx context.Context, drain bool, signed *signing.Signed) (State, error) {
	fail := func(err error) (State, error) { return State{}, fmt.Errorf("cannot %s: %w", verb(drain), err) }
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
	old := d.content
	next := content{Draining: drain, Since: old.Since, Signers: old.Signers}
	switch {
	case !drain:
		next.Since = 0
	case !old.Draining:
		next.Since = d.now().UnixMilli()
	}
	if signed != nil {
		var err error
		if next.Signers, err = signing.Follow(old.Signers, *signed, d.now(), d.c.MaxAge); err != nil {
			return fail(err)
		}
	}
	had := d.c.Self().Tags[Tag]
	if err := d.show(ctx, tagOf(drain)); err != nil {
		return fail(err)
	}
	if err := next.write(d.path); err != nil {
		undo := d.show(context.WithoutCancel(ctx), had)
		return fail(errors.Join(fmt.Errorf("cannot keep it: %w", err), undo))
	}
	d.mu.Lock()
	d.content = next
	d.mu.Unlock()
	s := State{Node: d.c.Self().Name, Draining: drain}
	if drain {
		s.Since = time.UnixMilli(next.Since)
	}
	return s, nil
}

func verb(drain bool) string {
	if drain {
		return Do
	}
	return Undo
}

func tagOf(drain bool) string {
	if drain {
		return shown
	}
	return ""
}

// show puts a value into the tag; empty takes it away.
func (d *Drain) show(ctx context.Context, value string) error {
	return d.c.SetTags(ctx, func(tags map[string]string) {
		if value == "" {
			delete(tags, Tag)
			return
		}
		tags[Tag] = value
	})
}
