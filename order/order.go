// Package order carries out orders that change this node until they are taken
// back: given on the node itself or, signed, by whoever holds a key that it
// trusts. What they have made of the node is kept in the state directory, and
// shown to the cluster in a tag.
//
// What the orders of a kind are about is for drain and metadata; who may give
// one on the spot for web.
package order

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
	"muster/human"
	"muster/logs"
	"muster/signing"
)

// Config is what is the same for orders of every kind.
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

// A Kind is what sets the orders of one kind apart.
type Kind struct {
	File     string // in the state directory
	Query    string // the query that bears a request
	Tag      string
	Do, Undo string // what an order may say
	Lines    Lines
}

// Lines are what is logged.
type Lines struct {
	Done    string // a request is obeyed
	Refused string // a request is not
	Lost    string // the file is broken
	Unseen  string // the tag cannot be put back
	Again   string // the tag is put back; empty: that is not worth a line
}

// An Order says what to do.
type Order struct {
	Do      string `json:"do"`
	Service string `json:"service,omitempty"` // with which service, where that is a question
}

func (o Order) String() string {
	if o.Service == "" {
		return o.Do
	}
	return o.Do + " service " + human.Clip(o.Service, maxQuoted)
}

// A Content is what orders of one kind have made of a node, as its fields stand
// in the file. The zero value is that of a node that was never given one.
type Content[C any] interface {
	// After returns what an order makes of it, or why that can never be.
	After(o Order, now time.Time) (C, error)
	// Text is what the tag says; empty: there is no tag.
	Text() string
	// ShownBy reports whether a node's tags, which may have been changed by
	// hand, can stay as they are.
	ShownBy(m cluster.Member) bool
	// Answer has the fields of the answer to a request.
	Answer() any
	// Attr is what a line of the log says of it.
	Attr() slog.Attr
}

// A Kept is what orders of one kind have made of this node. Its methods may be
// called from any goroutine.
type Kept[C Content[C]] struct {
	c     Config
	kind  Kind
	log   *slog.Logger
	path  string
	turn  chan struct{}      // one slot, held by whoever changes something
	asked chan cluster.Event // requests that wait for Run
	now   func() time.Time

	refusals logs.Budget // of Run

	mu      sync.Mutex // of record, which only who has the turn replaces
	record  record[C]
	problem string // with the tag, as last logged
}

// maxAsked is how many requests may wait. Those that do not fit get no answer.
const maxAsked = 16

// Open reads from the state directory what orders have made of this node. A
// file that is broken is put aside, and the node as if it was never given one.
func Open[C Content[C]](c Config, kind Kind) (*Kept[C], error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Kept[C]{
		c: c, kind: kind, log: c.Logger, path: filepath.Join(c.Dir, kind.File),
		turn: make(chan struct{}, 1), asked: make(chan cluster.Event, maxAsked), now: time.Now,
		refusals: logs.Budget{Lines: maxRefusals, Window: time.Minute},
	}
	var err error
	k.record, err = read[C](k.path)
	if errors.Is(err, errBroken) {
		aside := k.path + ".broken"
		k.log.Warn(kind.Lines.Lost, "error", err, "kept", aside)
		err = os.Rename(k.path, aside)
	}
	return k, err
}

// Self returns this node as the cluster sees it.
func (k *Kept[C]) Self() cluster.Member { return k.c.Self() }

// Content returns what orders have made of this node. It is read-only.
func (k *Kept[C]) Content() C {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.record.content
}

// Give carries out an order that is given on this node. When it returns without
// an error, what has become of the node is on disk and in the tag, which the
// cluster hears of within seconds. An error leaves all as it was.
func (k *Kept[C]) Give(ctx context.Context, o Order) (C, error) { return k.carryOut(ctx, o, nil) }

// carryOut is Give. signed is whose request it is; nil: nobody's.
func (k *Kept[C]) carryOut(ctx context.Context, o Order, signed *signing.Signed) (C, error) {
	fail := func(err error) (C, error) {
		var none C
		return none, fmt.Errorf("cannot %s: %w", o, err)
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
	content, err := k.record.content.After(o, k.now())
	if err != nil {
		return fail(err)
	}
	next := record[C]{true, content, k.record.signers}
	if signed != nil {
		if next.signers, err = signing.Follow(next.signers, *signed, k.now(), k.c.MaxAge); err != nil {
			return fail(err)
		}
	}
	had, err := k.show(ctx, content.Text())
	if err != nil {
		return fail(err)
	}
	if err := next.write(k.path); err != nil {
		_, undo := k.show(context.WithoutCancel(ctx), had)
		return fail(errors.Join(fmt.Errorf("cannot keep it: %w", err), undo))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record = next
	return content, nil
}

// show puts a text into the tag, and returns what was there; where a text is
// empty there is no tag.
func (k *Kept[C]) show(ctx context.Context, text string) (had string, err error) {
	err = k.c.SetTags(ctx, func(tags map[string]string) {
		had = tags[k.kind.Tag]
		if text == "" {
			delete(tags, k.kind.Tag)
			return
		}
		tags[k.kind.Tag] = text
	})
	return had, err
}
