package agent

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A waiter waits until each of its rules has ended a pass that began after it
// asked.
type waiter struct {
	after map[string]uint64 // of each rule still awaited, its passes begun before
	done  chan struct{}
}

// applyTrigger is the cause of a pass that somebody asked for.
const applyTrigger = "apply"

// Apply reads the rules again if their files changed, looks again at those
// named, or at all of them, and returns how they are once each has been through
// a pass. What failed is tried at once;
// with force the guards do not count either. Before the first join has settled it waits for that.
func (a *Agent) Apply(ctx context.Context, names []string, force bool) ([]RuleStatus, error) {
	w := &waiter{after: map[string]uint64{}, done: make(chan struct{})}
	var asked []string
	var err error
	if failed := a.ask(ctx, func(l *loop) {
		now := time.Now()
		l.reread(now) // whoever has just edited a rule means that one
		var states []*state
		if states, err = l.named(names); err != nil {
			return
		}
		for _, s := range states {
			s.hurry(applyTrigger, now)
			s.force = s.force || force
			w.after[s.rule.Name] = s.begun
			asked = append(asked, s.rule.Name)
		}
		l.waiters = append(l.waiters, w)
		l.answer(nil)
	}); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.stopped:
		return nil, ErrStopped
	}
	status, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	return status.only(asked), nil
}

// answer lets go the waiters whose last rule went through p.
func (l *loop) answer(p *pass) {
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		if p != nil {
			for _, j := range p.jobs {
				if after, ok := w.after[j.state.rule.Name]; ok && j.number > after {
					delete(w.after, j.state.rule.Name)
				}
			}
		}
		// A rule that is gone with a new rule set keeps nobody waiting.
		maps.DeleteFunc(w.after, func(name string, _ uint64) bool { return !l.has(name) })
		if len(w.after) > 0 {
			return false
		}
		close(w.done)
		return true
	})
}
