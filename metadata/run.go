package metadata

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"muster/cluster"
	"muster/signing"
)

// keepEvery is how often the tag is compared with the list: it may have been
// changed by hand, or be lost where the agent that is followed has restarted.
const keepEvery = 5 * time.Second

// Run does what trusted keys ask for, and keeps the tag as the list is, until
// ctx ends. Without a list the tag is nobody's.
func (r *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		r.Keep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.asked:
			r.obey(ctx, e)
		case <-tick.C:
		}
	}
}

// Hear takes in a request, as a cluster.Handler; Run does what it asks for.
func (r *Registry) Hear(_ context.Context, e cluster.Event) {
	select {
	case r.asked <- e:
	default:
	}
}

// obey does what a request asks for, and answers.
func (r *Registry) obey(ctx context.Context, e cluster.Event) {
	list, by, err := r.do(ctx, e.Payload)
	answer := reply{Services: list}
	if err != nil {
		answer.Error = err.Error()
		r.log.Warn("a request to change this node's services is refused", "from", e.From, "error", err)
	} else {
		r.log.Info("this node's services are changed", "by", by, "services", strings.Join(list, ","))
	}
	if err := e.Respond(answer.encode()); err != nil {
		r.log.Debug("a request is not answered", "error", err)
	}
}

// do does it, and returns whose request it was.
func (r *Registry) do(ctx context.Context, payload []byte) (list []string, by string, err error) {
	var trusted *signing.Trusted
	if r.c.Trusted != nil {
		trusted = r.c.Trusted()
	}
	signed, err := trusted.Verify(Query, payload, r.now(), r.c.MaxAge)
	if err != nil {
		return nil, "", fmt.Errorf("the request is not to be trusted: %w", err)
	}
	request, err := readRequest(signed.Payload)
	if err != nil {
		return nil, signed.Signer, fmt.Errorf("cannot read the request: %w", err)
	}
	if self := r.c.Self().Name; request.Node != self {
		return nil, signed.Signer, fmt.Errorf("the request is for %s, and this is %s", clip(request.Node), self)
	}
	list, err = r.change(ctx, request.Do, request.Service, &signed)
	return list, signed.Signer, err
}

// Keep puts the list into the tag if it is not there. A failure is logged
// when it begins.
func (r *Registry) Keep(ctx context.Context) {
	r.mu.Lock()
	list, managed := r.content.Services, r.managed
	r.mu.Unlock()
	if !managed || r.c.Self().Tags[Tag] == strings.Join(list, ",") {
		return
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	default:
		return // it is being changed
	}
	problem := ""
	if err := r.show(ctx, r.content.Services); err != nil && !errors.Is(err, context.Canceled) {
		problem = err.Error()
	}
	if problem != "" && problem != r.problem {
		r.log.Warn("the cluster does not see this node's services", "error", problem)
	}
	r.problem = problem
}
