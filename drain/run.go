package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/cluster"
	"muster/signing"
)

// keepEvery is how often the tag is looked at: it may have been taken away by
// hand, or be lost where the agent that is followed has restarted.
const keepEvery = 5 * time.Second

// Run does what trusted keys ask for, and keeps the tag while the node drains,
// until ctx ends. While it does not, the tag is nobody's.
func (d *Drain) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		d.Keep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case e := <-d.asked:
			d.obey(ctx, e)
		case <-tick.C:
		}
	}
}

// Hear takes in a request, as a cluster.Handler; Run does what it asks for.
func (d *Drain) Hear(_ context.Context, e cluster.Event) {
	select {
	case d.asked <- e:
	default:
	}
}

// obey does what a request asks for, and answers.
func (d *Drain) obey(ctx context.Context, e cluster.Event) {
	state, by, err := d.do(ctx, e.Payload)
	answer := reply{Draining: state.Draining}
	if err != nil {
		answer.Error = err.Error()
		d.log.Warn("a request to drain this node, or to take it back, is refused", "from", e.From, "error", err)
	} else {
		d.log.Info("somebody drains this node, or takes it back", "by", by, "draining", state.Draining)
	}
	if err := e.Respond(answer.encode()); err != nil {
		d.log.Debug("a request is not answered", "error", err)
	}
}

// do does it, and returns whose request it was.
func (d *Drain) do(ctx context.Context, payload []byte) (s State, by string, err error) {
	var trusted *signing.Trusted
	if d.c.Trusted != nil {
		trusted = d.c.Trusted()
	}
	signed, err := trusted.Verify(Query, payload, d.now(), d.c.MaxAge)
	if err != nil {
		return s, "", fmt.Errorf("the request is not to be trusted: %w", err)
	}
	r, err := readRequest(signed.Payload)
	if err != nil {
		return s, signed.Signer, fmt.Errorf("cannot read the request: %w", err)
	}
	if self := d.c.Self().Name; r.Node != self {
		return s, signed.Signer, fmt.Errorf("the request is for %s, and this is %s", clip(r.Node, 80), self)
	}
	s, err = d.set(ctx, r.Do == Do, &signed)
	return s, signed.Signer, err
}

// Keep puts the tag back while the node drains. A failure is logged when it
// begins.
func (d *Drain) Keep(ctx context.Context) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	default:
		return // it is being changed
	}
	if !d.content.Draining || d.c.Self().Draining() {
		return
	}
	problem := ""
	switch err := d.show(ctx, shown); {
	case err == nil:
		d.log.Info("this node drains, and its tag says so again", "tag", Tag)
	case !errors.Is(err, context.Canceled):
		problem = err.Error()
	}
	if problem != "" && problem != d.problem {
		d.log.Warn("the cluster does not see that this node drains", "error", problem)
	}
	d.problem = problem
}
