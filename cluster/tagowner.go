package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	serf atomic.Pointer[serf.Serf]
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
	t.now = next
	if s := t.serf.Load(); s != nil {
		// A failure means that nobody has been seen to take it up in time.
		// It stands all the same: the next exchange of state carries it.
		if err := s.SetTags(next); err != nil {
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

// start creates Serf with the tags of now.
func (t *tagOwner) start(conf *serf.Config) (*serf.Serf, error) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	conf.Tags = t.now
	s, err := serf.Create(conf)
	if err != nil {
		return nil, err
	}
	t.serf.Store(s)
	return s, nil
}

// stop leaves changes to the next Serf.
func (t *tagOwner) stop() { t.serf.Store(nil) }
