package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/serf/serf"
)

// A tagOwner is the only one to change this node's tags, one change at a
// time: checked before gossiped, gossiped before written to the tags file.
type tagOwner struct {
	base map[string]string // of the configuration
	file string
	log  *slog.Logger

	turn chan struct{}     // one slot, held by whoever changes now
	now  map[string]string // never altered, only replaced
	live atomic.Pointer[incarnation]
}

func newTagOwner(c Config, now map[string]string) *tagOwner {
	return &tagOwner{base: c.Tags, file: c.TagsFile, log: c.Logger, now: now, turn: make(chan struct{}, 1)}
}

// set applies change to a copy of the tags.
func (t *tagOwner) set(ctx context.Context, change func(map[string]string)) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return fmt.Errorf("cannot set tags: %w", context.Cause(ctx))
	}
	next := maps.Clone(t.now)
	change(next)
	if err := checkTags(next); err != nil {
		return fmt.Errorf("cannot set tags: %w", err)
	}
	if maps.Equal(next, t.now) {
		return nil
	}
	return t.put(next)
}

// put makes tags that were checked those of now, which it may be already, and
// keeps them. Whose turn it is calls it.
func (t *tagOwner) put(next map[string]string) error {
	changed := !maps.Equal(next, t.now)
	t.now = next
	if in := t.live.Load(); in != nil && changed {
		// A failure means that nobody has been seen to take it up in time.
		// It stands all the same: the next exchange of state carries it.
		err := in.gate.tags.write(func() error { return in.serf.SetTags(next) })
		if err != nil {
			t.log.Warn("tags are slow to spread", "error", err)
		}
	}
	if t.file == "" {
		return nil
	}
	if err := writeTags(t.file, unlike(next, t.base)); err != nil {
		return fmt.Errorf("cannot keep tags, which are set until the next start: %w", err)
	}
	return nil
}

// start creates the Serf of in with the tags of now.
func (t *tagOwner) start(in *incarnation, conf *serf.Config) (err error) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	conf.Tags = t.now
	if in.serf, err = serf.Create(conf); err == nil {
		t.live.Store(in)
	}
	return err
}

// stop leaves changes to the next Serf.
func (t *tagOwner) stop() { t.live.Store(nil) }

// A tagLock keeps queries from reading Serf's tags while they are replaced:
// Serf does both without a lock. It is held for that moment only, not while
// the change spreads, which takes most of a second.
type tagLock struct {
	sync.RWMutex
	release atomic.Pointer[func()]
}

// write runs set, which is serf.SetTags.
func (l *tagLock) write(set func() error) error {
	l.Lock()
	release := sync.OnceFunc(l.Unlock)
	defer release()
	l.release.Store(&release)
	return set()
}

// written is called once Serf has replaced the tags, when memberlist reads
// them for the first time.
func (l *tagLock) written() {
	if release := l.release.Load(); release != nil {
		(*release)()
	}
}
