package cluster

import (
	"fmt"
	"time"
)

// A stamina says when a node gives up joining for the first time: as Serf's
// agent does, after Config.RetryMax times Config.RetryInterval. It is the
// joiner's own, and outlives incarnations.
type stamina struct {
	limit time.Duration // 0: for ever
	since time.Time     // of the first round that failed
	met   bool          // the node has known others: it never gives up on them
}

func newStamina(c Config) *stamina {
	p := &stamina{}
	if len(c.Join) > 0 {
		p.limit = time.Duration(c.RetryMax) * c.RetryInterval
	}
	return p
}

// failed takes note of a round that began at a time and failed for a reason.
// It returns an error if it was the last.
func (p *stamina) failed(began, now time.Time, reason error) error {
	if p.since.IsZero() {
		p.since = began
	}
	if p.met || p.limit == 0 || now.Sub(p.since) < p.limit {
		return nil
	}
	return fmt.Errorf("cannot join the cluster: %w after %s, as retry_max_attempts says: %w", errGaveUp, p.limit, reason)
}
