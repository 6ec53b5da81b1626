package fleet

import (
	"context"
	"time"

	"muster/cluster"
)

// between is the least time between two answers, and patience how long the
// agent may take for one: whoever may ask could otherwise keep it busy.
const (
	between  = 10 * time.Millisecond
	patience = 2 * time.Second
)

// Hear takes in a question, as a cluster.Handler; Run answers it.
func (f *Fleet) Hear(_ context.Context, e cluster.Event) {
	select {
	case f.asked <- e:
	default:
	}
}

// Run answers questions until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-f.asked:
			f.answer(ctx, e)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(between):
		}
	}
}

// answer answers e. A question that cannot be read gets no answer.
func (f *Fleet) answer(ctx context.Context, e cluster.Event) {
	q, err := readQuestion(e.Payload)
	if err != nil {
		f.log.Debug("a question about the rules cannot be read", "from", e.From, "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	standing, err := f.c.Standing(ctx, q.Members)
	if err == nil {
		err = e.Respond(encode(f.c.Version, standing))
	}
	if err != nil {
		f.log.Debug("a question about the rules is not answered", "error", err) // too late, or the asker is gone
	}
}
