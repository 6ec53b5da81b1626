package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/haproxy"
	"muster/reconcile"
	"muster/rules"
)

// newRuntime returns what tells the rule's haproxy of changes; nil if there is
// none to tell.
func newRuntime(rule *rules.Rule) *haproxy.Runtime {
	if rule.Runtime == "" {
		return nil
	}
	return haproxy.New(haproxy.Config{Socket: rule.Runtime, Drain: rule.Drain})
}

// live is the rule's running service as reconcile takes it.
func (c *compiled) live() *reconcile.Live {
	if c.runtime == nil {
		return nil
	}
	return &reconcile.Live{
		Can: func(_ string, old, new []byte) error { return haproxy.Pushable(old, new) },
		Tell: func(ctx context.Context, files []reconcile.File) ([]string, time.Time, error) {
			texts := make([][]byte, len(files))
			for i, f := range files {
				texts[i] = f.Bytes
			}
			result, err := c.runtime.Push(ctx, texts...)
			if errors.Is(err, haproxy.ErrReload) {
				err = fmt.Errorf("%w: %w", reconcile.ErrReload, err)
			}
			return result.Commands, result.Again, err
		},
	}
}
