package metadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"muster/cluster"
	"muster/signing"
)

// Config is what a Registry needs.
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

// A Registry is the list of this node. Its methods may be called from any
// goroutine.
type Registry struct {
	c     Config
	log   *slog.Logger
	path  string
	turn  chan struct{}      // one slot, held by whoever changes something
	asked chan cluster.Event // requests that wait for Run
	now   func() time.Time

	mu      sync.Mutex // of content, which only who has the turn replaces
	content content
	managed bool   // there is a list: the tag is this Registry's
	problem string // with the tag, as last logged
}

// maxAsked is how many requests may wait. Those that do not fit get no answer.
const maxAsked = 16

// Open reads the list from the state directory. A file that is broken is put
// aside, and the list is empty.
func Open(c Config) (*Registry, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		c: c, log: c.Logger, path: filepath.Join(c.Dir, fileName),
		turn: make(chan struct{}, 1), asked: make(chan cluster.Event, maxAsked), now: time.Now,
	}
	var err error
	r.content, r.managed, err = read(r.path)
	if errors.Is(err, errBroken) {
		aside := r.path + ".broken"
		c.Logger.Warn("this node's list of services is lost", "error", err, "kept", aside)
		err = os.Rename(r.path, aside)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read this node's services: %w", err)
	}
	return r, nil
}

// Services returns the list, sorted.
func (r *Registry) Services() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.content.Services...)
}

// Add puts a service on the list, and returns the list. It is no mistake if it
// was there. When it returns without an error the list is on disk and in the
// tag, which the cluster hears of within seconds. An error leaves all as it
// was; ErrInvalid says that trying again will not help.
func (r *Registry) Add(ctx context.Context, service string) ([]string, error) {
	return r.change(ctx, Add, service, nil)
}

// Remove takes a service off the list, likewise.
func (r *Registry) Remove(ctx context.Context, service string) ([]string, error) {
	return r.change(ctx, Remove, service, nil)
}

// change changes the list. signed is whose request it is; nil: nobody's.
func (r *Registry) change(ctx context.Context, do, service string, signed *signing.Signed) ([]string, error) {
	fail := func(err error) ([]string, error) {
		return nil, fmt.Errorf("cannot %s service %s: %w", do, clip(service), err)
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
	old := r.content
	next := content{Signers: old.Signers}
	var err error
	if next.Services, err = with(old.Services, service, do == Add); err != nil {
		return fail(err)
	}
	if signed != nil {
		if next.Signers, err = signing.Follow(old.Signers, *signed, r.now(), r.c.MaxAge); err != nil {
			return fail(fmt.Errorf("%w: %w", ErrInvalid, err))
		}
	}
	if err := r.show(ctx, next.Services); err != nil {
		return fail(err)
	}
	if err := next.write(r.path); err != nil {
		undo := r.show(context.WithoutCancel(ctx), old.Services)
		return fail(errors.Join(fmt.Errorf("cannot keep it: %w", err), undo))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.content, r.managed = next, true
	return append([]string{}, next.Services...), nil
}

// show puts a list into the tag.
func (r *Registry) show(ctx context.Context, list []string) error {
	return r.c.SetTags(ctx, func(tags map[string]string) {
		if len(list) == 0 {
			delete(tags, Tag)
			return
		}
		tags[Tag] = strings.Join(list, ",")
	})
}

// Node returns the name of this node.
func (r *Registry) Node() string { return r.c.Self().Name }
