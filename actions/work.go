package actions

import (
	"context"
	"strings"
	"time"

	"muster/command"
)

// wake sees to it that there is a worker if there is work.
func (r *Runner) wake(l *lane) {
	if r.ctx == nil || r.ctx.Err() != nil || l.busy || len(l.queue) == 0 || !l.runnable(r.world.view) {
		return
	}
	l.busy = true
	ctx := r.ctx
	r.workers.Go(func() { r.work(ctx, l) })
}

// work does what is in l's queue, one after the other, until it is empty.
func (r *Runner) work(ctx context.Context, l *lane) {
	for patience := time.Duration(0); ; {
		j, err := r.next(ctx, l)
		if err != nil {
			patience = min(max(2*patience, time.Second), maxPatience)
			if !sleep(ctx, patience) {
				patience = 0
			}
			continue
		}
		patience = 0
		if j == nil {
			return
		}
		r.perform(ctx, l, j)
	}
}

// next returns the job that is to be done now: it has been counted, and the
// ledger says that it is begun. It returns nil, and the worker is none any
// more, when there is none; an error if the ledger cannot be written.
func (r *Runner) next(ctx context.Context, l *lane) (*job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if ctx.Err() != nil || len(l.queue) == 0 || !l.runnable(r.world.view) {
			l.busy = false
			if l.gone && r.byID[l.id] == l {
				delete(r.byID, l.id)
			}
			return nil, nil
		}
		j := l.queue[0]
		if r.unfit(l, j) {
			continue
		}
		if j.entry != nil {
			if err := r.begin(l, j); err != nil {
				return nil, err
			}
			if len(l.queue) == 0 || l.queue[0] != j {
				continue // the lane was retired meanwhile
			}
		}
		l.take()
		l.run++
		l.running = &Running{Event: describe(j.event, j.member), Since: r.now()}
		return j, nil
	}
}

// begin takes down that j is begun. It lets go of the mutex meanwhile.
func (r *Runner) begin(l *lane, j *job) error {
	var entries []*entry
	batch := l.unclaimed()
	for _, b := range batch {
		entries = append(entries, b.entry)
	}
	strict := l.strict()
	r.mu.Unlock()
	var err error
	if strict && !j.claimed {
		err = r.ledger.claim(entries)
	}
	claimed := strict && err == nil
	if err == nil {
		if err = r.ledger.start(j.entry); !strict {
			err = nil
		}
	}
	r.mu.Lock()
	for _, b := range batch {
		b.claimed = b.claimed || claimed
	}
	l.stuck = ""
	if err != nil {
		l.stuck = err.Error()
	}
	return err
}

// unfit takes the first job out of the queue if it must not be done any more.
func (r *Runner) unfit(l *lane, j *job) bool {
	reason := ""
	switch {
	case r.set.Refuse != "" && l.kind != KindHandler:
		reason = RefusedGossip
	case l.rule != nil && l.rule.Signature && j.signer == "": // it demanded none when j was accepted
		reason = RefusedSignature
	case l.rule != nil && r.world.alive < l.rule.Quorum:
		reason = RefusedQuorum
	case l.rule != nil && responds(l) && late(j.event, r.now()):
		reason = RefusedLate
	case !j.still(r.world.view):
		l.take()
		l.unwanted++
		return true
	default:
		return false
	}
	l.take()
	l.refuse(reason)
	if r.tell(l) {
		r.log.Warn("an action is refused", l.kind, l.name, "event", describe(j.event, j.member), "reason", reason, "alive", r.world.alive)
		r.note(l, true, "acting on "+describe(j.event, j.member)+" is refused: "+reason)
	}
	if j.entry != nil {
		r.finish(j.entry, "refused: "+reason)
	}
	return true
}

func responds(l *lane) bool {
	for _, s := range l.rule.Steps {
		if s.Respond != nil {
			return true
		}
	}
	return false
}

// perform does j and takes down how it ended.
func (r *Runner) perform(ctx context.Context, l *lane, j *job) {
	began := r.now()
	var err error
	var said string
	if l.kind == KindRule {
		said, err = r.act(ctx, l, j)
	} else {
		said, err = r.handle(ctx, l, j)
	}
	if err != nil {
		said = err.Error()
	}
	what := describe(j.event, j.member)
	last := &Last{Event: what, At: began, Took: r.now().Sub(began), OK: err == nil, Verdict: oneLine(said)}
	r.mu.Lock()
	l.running, l.last = nil, last
	if err != nil {
		l.failed++
	}
	told, missing := l.lines.Spend(r.now())
	r.mu.Unlock()
	if missing > 0 {
		r.log.Warn("too much to log of what was done", l.kind, l.name, "dropped", missing)
	}
	verdict := verdictOK
	if err != nil {
		verdict = verdictFailed
	}
	switch {
	case !told:
	case err != nil:
		r.note(l, true, "acting on "+what+" failed"+ending(err))
		r.log.Warn("an action failed", l.kind, l.name, "event", what, "took", last.Took, "error", last.Verdict)
	default:
		r.note(l, false, "acted on "+what)
		r.log.Info("acted", l.kind, l.name, "event", what, "took", last.Took, "result", last.Verdict)
	}
	if j.entry == nil {
		return
	}
	if ctx.Err() != nil && err != nil {
		return // stopped in the middle: it stays one that was begun
	}
	r.finish(j.entry, verdict)
}

const maxVerdict = 800 // bytes

// oneLine makes one line of what is said of an action: of a long one the
// beginning, which says what happened, and the end of what was printed.
func oneLine(s string) string {
	s = command.Line([]byte(s), len(s)+1)
	const head = maxVerdict / 4
	if len(s) <= maxVerdict {
		return s
	}
	return strings.ToValidUTF8(s[:head], "") + " … " + strings.ToValidUTF8(s[len(s)-(maxVerdict-head-8):], "")
}

// sleep waits for d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
