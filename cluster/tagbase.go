package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// SetBaseTags makes base the tags of the configuration, in place of
// Config.Tags or an earlier base: after the configuration was read again. A
// tag takes the new value, or goes, where it still is as the old base had it.
// One that was changed at run time, by SetTags or in the tags file, stays, and
// its name is among kept if the two configurations differ on it. As with
// SetTags, what does not fit is refused and nothing changes.
func (n *Node) SetBaseTags(ctx context.Context, base map[string]string) (kept []string, err error) {
	return n.tags.rebase(ctx, maps.Clone(base))
}

func (t *tagOwner) rebase(ctx context.Context, base map[string]string) (kept []string, err error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot set tags: %w", context.Cause(ctx))
	}
	if maps.Equal(base, t.base) {
		return nil, nil
	}
	next, kept := rebase(t.base, base, t.now)
	if err := checkTags(next); err != nil {
		return nil, fmt.Errorf("cannot set tags: %w", err)
	}
	t.base = base
	return kept, t.put(next)
}

// rebase applies what differs between two configurations to the tags of now.
// It returns the tags and, sorted, the names of those that were changed
// otherwise, and differently.
func rebase(before, after, now map[string]string) (next map[string]string, kept []string) {
	next = maps.Clone(now)
	names := maps.Clone(before)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, after)
	for name := range names {
		was, configured := before[name]
		want, wanted := after[name]
		is, live := now[name]
		switch {
		case was == want && configured == wanted: // nothing new
		case is == want && live == wanted: // so already
		case is != was || live != configured:
			kept = append(kept, name)
		case wanted:
			next[name] = want
		default:
			delete(next, name)
		}
	}
	slices.Sort(kept)
	return next, kept
}
