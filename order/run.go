package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/cluster"
	"muster/human"
	"muster/signing"
)

// keepEvery is how often the tag is looked at: it may have been changed by
// hand, or be lost where the agent that is followed has restarted.
const keepEvery = 5 * time.Second

// Run does what trusted keys ask for, and keeps the tag, until ctx ends. Before
// the first order the tag is nobody's.
func (k *Kept[C]) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		k.Keep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case e := <-k.asked:
			k.obey(ctx, e)
		case <-tick.C:
		}
	}
}

// Hear takes in a request, as a cluster.Handler; Run does what it asks for.
func (k *Kept[C]) Hear(_ context.Context, e cluster.Event) {
	select {
	case k.asked <- e:
	default:
	}
}

// obey does what a request asks for, and answers.
func (k *Kept[C]) obey(ctx context.Context, e cluster.Event) {
	content, by, err := k.do(ctx, e.Payload)
	switch {
	case err != nil && k.tell():
		k.log.Warn(k.kind.Lines.Refused, "from", human.Clip(e.From, maxQuoted), "error", err)
	case err == nil:
		k.log.Info(k.kind.Lines.Done, "by", by, content.Attr())
	}
	if err := e.Respond(encode(content.Answer(), err)); err != nil {
		k.log.Debug("a request is not answered", "error", err)
	}
}

// maxRefusals is how many refusals are logged in a minute: whoever can send a
// query chooses how many there are.
const maxRefusals = 20

// tell reports whether one more refusal may be logged.
func (k *Kept[C]) tell() bool {
	pass, _ := k.refusals.Spend(k.now())
	return pass
}

// do does it, and returns whose request it was.
func (k *Kept[C]) do(ctx context.Context, payload []byte) (content C, by string, err error) {
	var trusted *signing.Trusted
	if k.c.Trusted != nil {
		trusted = k.c.Trusted()
	}
	signed, err := trusted.Verify(k.kind.Query, payload, k.now(), k.c.MaxAge)
	if err != nil {
		return content, "", fmt.Errorf("the request is not to be trusted: %w", err)
	}
	r, err := k.kind.readRequest(signed.Payload)
	if err != nil {
		return content, signed.Signer, fmt.Errorf("cannot read the request: %w", err)
	}
	if self := k.c.Self().Name; r.Node != self {
		return content, signed.Signer, fmt.Errorf("the request is for %s, and this is %s", human.Clip(r.Node, maxQuoted), self)
	}
	content, err = k.carryOut(ctx, r.Order, &signed)
	return content, signed.Signer, err
}

// Keep puts the tag back if it is not as it should be. A failure is logged when
// it begins.
func (k *Kept[C]) Keep(ctx context.Context) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	default:
		return // it is being changed
	}
	content := k.record.content
	if !k.record.given || content.ShownBy(k.c.Self()) {
		return
	}
	problem := ""
	_, err := k.show(ctx, content.Text())
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		problem = err.Error()
	case err == nil && k.kind.Lines.Again != "":
		k.log.Info(k.kind.Lines.Again, "tag", k.kind.Tag)
	}
	if problem != "" && problem != k.problem {
		k.log.Warn(k.kind.Lines.Unseen, "error", problem)
	}
	k.problem = problem
}
