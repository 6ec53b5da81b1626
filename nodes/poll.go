package nodes

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"muster/cluster"
)

// Run asks the nodes while somebody looks, until ctx ends. While nobody does
// it only waits to be woken.
func (b *Book) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wanted:
			b.poll(ctx)
		}
	}
}

// poll asks round after round until the lease is over. It does not return
// before the next round would be due, so that a look that comes right after
// cannot have one sooner.
func (b *Book) poll(ctx context.Context) {
	for b.leased(time.Now()) {
		next := b.round(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
			continue
		}
		break
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause()
}

// jitter is d give or take a tenth.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }

func (b *Book) leased(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.lease)
}

// quiet is how long no answer may come before a round counts as heard out:
// what Serf's own agents do not answer would be waited for until the end.
const quiet = time.Second

// round asks once, listens until the next round is due at the latest, and
// returns when that is: a while after the question has gone out, which may
// have had to wait for its turn.
func (b *Book) round(ctx context.Context) (next time.Time) {
	answers, err := b.c.Ask(ctx, cluster.Query{Name: Query, Timeout: b.c.Every})
	now := time.Now()
	if ctx.Err() != nil { // the end of the agent, and nobody's problem
		if err == nil {
			answers.Close()
		}
		return now
	}
	next = now.Add(jitter(b.c.Every))
	b.asking(err, now)
	if err != nil {
		b.heardOut(ctx)
		return next
	}
	defer answers.Close()
	if b.listen(ctx, answers, next, true) {
		b.heardOut(ctx)
		b.listen(ctx, answers, next, false)
		return next
	}
	b.heardOut(ctx)
	return next
}

// listen takes answers in until next, or until there will be no more of them.
// With brief it ends also when none has come for a while, and returns true.
func (b *Book) listen(ctx context.Context, answers Answers, next time.Time, brief bool) (more bool) {
	for {
		patience := time.Until(next)
		if brief {
			patience = min(patience, quiet)
		}
		wait, cancel := context.WithTimeout(ctx, patience)
		a, err := answers.Next(wait)
		expired := wait.Err() != nil
		cancel()
		if err != nil {
			return expired && ctx.Err() == nil && !errors.Is(err, io.EOF)
		}
		b.answer(a, time.Now())
		if !time.Now().Before(next) { // whoever floods with answers does not keep it up
			return false
		}
	}
}

// asking notes that a round was asked, or could not be. Where the one before
// was long ago, or could not be asked, what was not heard meanwhile accuses
// nobody.
func (b *Book) asking(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.see(b.c.View(), now)
	if err != nil {
		if b.problem == "" {
			b.log.Warn("cannot ask the nodes how they are", "error", err)
		}
		b.problem = err.Error()
		b.pause()
		return
	}
	if gap := now.Sub(b.asked); !b.paused && (gap < 0 || gap > 2*b.c.Every) {
		b.pause()
	}
	if b.paused {
		b.resume(now)
	}
	b.asked, b.problem = now, ""
	b.rounds++
}

// heardOut tells those who wait that a round has been heard out.
func (b *Book) heardOut(ctx context.Context) {
	b.measure(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = time.Now()
	close(b.rounded)
	b.rounded = make(chan struct{})
}
