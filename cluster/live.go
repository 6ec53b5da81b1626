package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// patience is how long a call waits for the node to take part in the cluster.
const patience = 10 * time.Second

// errStopped says that Run has returned.
var errStopped = errors.New("the node has stopped")

// A lifeline leads to the incarnation that lives now. Who uses it keeps that
// incarnation from being taken apart until it is done.
type lifeline struct {
	mu      sync.Mutex
	in      *incarnation  // nil: none
	over    bool          // there will be none any more
	changed chan struct{} // closed at the next change; nil: nobody waits
}

// put makes in the one that lives; nil is none.
func (l *lifeline) put(in *incarnation, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in, l.over = in, over
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// look returns the incarnation that lives, entered, or what to wait for.
func (l *lifeline) look() (*incarnation, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in != nil {
		l.in.calls.Add(1)
		return l.in, nil, nil
	}
	if l.over {
		return nil, nil, errStopped
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return nil, l.changed, nil
}

// enter returns the incarnation that lives, waiting for one for as long as
// ctx and patience last. It must be left by in.calls.Done.
func (n *Node) enter(ctx context.Context) (*incarnation, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		in, changed, err := n.life.look()
		if in != nil || err != nil {
			return in, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-late.C:
			if problem := n.Info().Problem; problem != "" {
				return nil, fmt.Errorf("the node is out of the cluster: %s", problem)
			}
			return nil, errors.New("the node is not running")
		}
	}
}

// do runs f, which ends by itself, and waits for it as long as ctx lasts. The
// caller has entered in; do leaves it when f is done.
func (in *incarnation) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer in.calls.Done()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
