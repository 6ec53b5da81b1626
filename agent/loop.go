package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"muster/cluster"
	"muster/rules"
)

// A loop is the state that the one goroutine of Run owns.
type loop struct {
	*Agent
	program  *Program
	problems rules.Problems // of the rules as they are on disk now
	loaded   time.Time
	states   []*state
	lanes    []*lane
	busy     map[string]bool // keys of the passes under way
	passes   int             // under way
	passed   chan *pass
	view     cluster.View
	waiters  []*waiter
	sources  *sources
	actor    actor
	news     news
	heard    chan cluster.Event // events, once the runner has them
}

func newLoop(a *Agent) *loop {
	return &loop{
		Agent: a, program: &Program{}, sources: newSources(a.log, a.cfg.Blind), busy: map[string]bool{}, passed: make(chan *pass),
		actor: actor{handlers: a.cfg.Handlers}, heard: make(chan cluster.Event),
	}
}

// lastWords is how long commands under way may go on once the agent stops.
const lastWords = 2 * time.Second

// run is the loop. Whatever wakes it, it looks again and begins what is due.
func (l *loop) run(ctx context.Context) error {
	// Passes outlive ctx for a moment, so that a reload that is nearly done
	// is not owed for nothing.
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, end) })

	defer l.sources.close()
	defer l.watch(ctx)()
	resync := time.NewTicker(l.cfg.Resync)
	defer resync.Stop()
	var alive <-chan time.Time
	if l.cfg.Watchdog > 0 {
		ticker := time.NewTicker(l.cfg.Watchdog)
		defer ticker.Stop()
		alive = ticker.C
	}
	l.look(time.Now())
	l.act()
	defer l.perform(ctx)()
	l.cfg.Notify(Notice{Ready: true, Status: l.summary()})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.begin(work, time.Now())
		if next := l.next(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			for ; l.passes > 0; l.passes-- {
				<-l.passed
			}
			return nil
		case <-l.cfg.Source.Changed():
			l.look(time.Now())
		case p := <-l.passed:
			l.finish(p, time.Now())
		case event := <-l.heard:
			l.hear(event, time.Now())
		case f := <-l.asked:
			f()
		case <-l.sources.events():
			l.sources.stir()
		case <-l.sources.errors():
			l.sources.stir()
		case <-l.sources.settled():
			l.reread(time.Now())
		case <-l.reconciler.Changed():
			l.drift(time.Now())
		case <-resync.C:
			l.reread(time.Now())
			l.all("resync", time.Now())
		case <-alive:
			l.cfg.Notify(Notice{Alive: true})
		case <-timer.C:
			l.wake(time.Now())
		}
	}
}

// watch follows the managed files, and returns how to end that. Without it
// the resync finds what changed.
func (l *loop) watch(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	if !l.cfg.Blind {
		watcher.Go(func() {
			if err := l.reconciler.Watch(ctx); err != nil {
				l.log.Warn("drift is found at the next resync only", "error", err)
			}
		})
	}
	return func() {
		cancel()
		watcher.Wait()
	}
}

// look takes in the membership as it is now.
func (l *loop) look(now time.Time) {
	old := l.view
	l.view = l.cfg.Source.View()
	changes := l.view.Diff(old)
	l.noteView(old, now)
	for _, s := range l.states {
		s.see(l.view, changes, now)
		// A held rule hangs on more than its members.
		if s.held && (old.Alone() != l.view.Alone() || old.Doubt > 0 != (l.view.Doubt > 0)) {
			s.mark("members", now)
		}
	}
	if l.view.Settled && !old.Settled {
		l.all("first join", now)
	}
	if l.refusal() != l.actor.refused {
		l.act() // before events that waited for a view are judged
	}
	if l.cfg.Actions != nil {
		l.cfg.Actions.Look(l.view)
	}
}

// hear lets an event trigger the rules that name it.
func (l *loop) hear(e cluster.Event, now time.Time) {
	l.noteEvent(e)
	for _, s := range l.states {
		if s.inForce && s.rule.Triggered(e) {
			s.mark("event "+e.Type+":"+e.Name, now)
		}
	}
}

// reread reads the rules again if their files changed.
func (l *loop) reread(now time.Time) {
	if l.cfg.Actions != nil {
		l.cfg.Actions.Rescan()
	}
	if l.sources.changed() {
		l.reload("rules changed", now)
	}
}

// drift looks again at the rules whose files somebody else touched. What a
// pass under way has touched is known when it ends.
func (l *loop) drift(now time.Time) {
	disturbed := l.reconciler.Disturbed()
	for _, s := range l.states {
		switch {
		case !slices.Contains(disturbed, s.rule.Name):
		case s.running:
			s.touched = true
		case s.inForce:
			s.mark("drift", now)
		}
	}
}

// all marks every rule as due at once.
func (l *loop) all(trigger string, now time.Time) {
	for _, s := range l.states {
		s.hurry(trigger, now)
	}
}

// wake brings up to date the selections whose time has come, and the timeline.
func (l *loop) wake(now time.Time) {
	if due := l.news.due(); !due.IsZero() && !now.Before(due) {
		l.catchUp()
	}
	for _, s := range l.states {
		if !s.wake.IsZero() && !now.Before(s.wake) && s.update(now, l.view, nil) {
			s.mark("grace ended", now)
		}
	}
}

// next is when the loop has something to do by itself; zero: never. What
// waits for a pass to end is looked at when that ends.
func (l *loop) next() time.Time {
	next := l.news.due()
	for _, lane := range l.lanes {
		waits := !l.view.Settled || l.taken(lane)
		for _, s := range lane.rules {
			next = sooner(next, s.wake)
			if !waits {
				next = sooner(next, s.due())
			}
		}
	}
	return next
}

// sooner is the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// begin starts a pass in every lane that is free and has rules that are due.
// Nothing is converged before the membership has settled.
func (l *loop) begin(ctx context.Context, now time.Time) {
	if !l.view.Settled {
		return
	}
	for _, lane := range l.lanes {
		var due []*state
		for _, s := range lane.rules {
			if t := s.due(); !t.IsZero() && !now.Before(t) {
				due = append(due, s)
			}
		}
		if len(due) > 0 && !l.taken(lane) {
			l.start(ctx, newPass(l, lane, due, now))
		}
	}
}

// taken reports whether a pass under way, perhaps of an older rule set, keeps
// the lane from starting.
func (l *loop) taken(lane *lane) bool {
	if len(l.busy) == 0 {
		return false
	}
	for _, key := range lane.keys {
		if l.busy[key] {
			return true
		}
	}
	return false
}

// start runs a pass beside the loop.
func (l *loop) start(ctx context.Context, p *pass) {
	for _, key := range p.lane.keys {
		l.busy[key] = true
	}
	l.passes++
	go func() {
		p.run(ctx, l.reconciler)
		l.passed <- p
	}()
}

// finish takes in what came of a pass.
func (l *loop) finish(p *pass, now time.Time) {
	l.passes--
	for _, key := range p.lane.keys {
		delete(l.busy, key)
	}
	l.catchUp() // what the passes were about comes before what came of them
	touched := false
	for _, job := range p.jobs {
		job.tell(l.log, l.cfg.Timeline)
		job.finish(l.view.Self, now)
		touched = touched || job.state.touched
		job.state.touched = false
	}
	if touched {
		l.drift(now)
	}
	l.answer(p)
	l.cfg.Notify(Notice{Status: l.summary()})
}
