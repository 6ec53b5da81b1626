package actions

import (
	"time"

	"muster/cluster"
)

// A rule with `for` goes by the views alone, not by events: what it waits for
// is that a member's state has lasted, and views are what says so. It starts
// to count when a settled view shows the state for the first time, and stops
// when one shows another. So it outlives a new incarnation of the membership,
// and what no event told. It does not outlive the agent: then it counts anew.

// A wait is one member's state that has to last.
type wait struct {
	event  cluster.Event
	member cluster.Member
	since  time.Time
	timer  *time.Timer
	over   bool // its time is over, but there was no settled view to decide by
}

// A level is the last settled view that a lane has looked at.
type level struct {
	seen bool
	view cluster.View
}

// waiting reports whether the lane goes by views.
func (l *lane) waiting() bool { return l.rule != nil && l.rule.For > 0 }

// Look takes in the latest view.
func (r *Runner) Look(v cluster.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.world.view = v
	r.world.version++
	r.world.alive = 0
	for _, m := range v.Members {
		if m.Status == cluster.Alive {
			r.world.alive++
		}
	}
	for _, l := range r.lanes {
		r.follow(l)
		r.hearEarly(l)
		r.wake(l)
	}
}

// follow takes the latest view into account where it is what a lane goes by.
func (r *Runner) follow(l *lane) {
	if !l.waiting() {
		l.stopWaiting()
		l.level = level{}
		return
	}
	v := r.world.view
	if !v.Settled {
		return
	}
	for _, c := range v.Diff(l.level.view) {
		for _, kind := range memberEvents {
			r.changed(l, kind, c)
		}
	}
	l.level = level{true, v}
	for id, w := range l.waits {
		if w.over {
			r.lasted(l, id, w)
		}
	}
}

var memberEvents = []string{cluster.EventJoin, cluster.EventLeave, cluster.EventFailed, cluster.EventUpdate, cluster.EventReap}

// changed starts or ends the wait for one member's state.
func (r *Runner) changed(l *lane, kind string, c cluster.Change) {
	id := kind + " " + c.Name()
	if w := l.waits[id]; w != nil && (begins(kind, c) || !lasts(kind, c.New)) {
		l.cancel(id, w)
	}
	if l.waits[id] != nil || !begins(kind, c) {
		return
	}
	m := c.New
	if m == nil {
		m = c.Old
	}
	e := cluster.Event{Type: kind, Members: []cluster.Member{*m}}
	if !l.rule.Triggered(e) || !l.rule.Matches(*m, r.world.view) {
		return
	}
	l.heard++
	if l.waits == nil {
		l.waits = map[string]*wait{}
	}
	w := &wait{event: e, member: *m, since: r.now()}
	w.timer = time.AfterFunc(l.rule.For, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if l.waits[id] == w {
			r.lasted(l, id, w)
		}
	})
	l.waits[id] = w
}

// begins reports whether c is the beginning of the state that a type of event
// tells of.
func begins(kind string, c cluster.Change) bool {
	if kind == cluster.EventUpdate {
		return c.Old != nil && c.New != nil && c.Old.Status == cluster.Alive && lasts(kind, c.New)
	}
	return lasts(kind, c.New) && (c.Old == nil || !lasts(kind, c.Old))
}

// lasts reports whether m, nil for one that is not known, is in the state that
// a type of event tells of.
func lasts(kind string, m *cluster.Member) bool {
	if m == nil {
		return kind == cluster.EventReap
	}
	switch kind {
	case cluster.EventJoin, cluster.EventUpdate:
		return m.Status == cluster.Alive
	case cluster.EventLeave:
		return m.Status == cluster.Left
	case cluster.EventFailed:
		return m.Status == cluster.Failed
	}
	return false
}

// cancel ends a wait: the state did not last.
func (l *lane) cancel(id string, w *wait) {
	w.timer.Stop()
	delete(l.waits, id)
	l.unwanted++
}

func (l *lane) stopWaiting() {
	for id, w := range l.waits {
		l.cancel(id, w)
	}
}

// lasted decides on a state that has lasted, if there is a view to decide by.
// A `for` that has become longer is waited for.
func (r *Runner) lasted(l *lane, id string, w *wait) {
	if rest := w.since.Add(l.rule.For).Sub(r.now()); rest > 0 {
		w.timer.Reset(rest)
		return
	}
	if w.over = !r.world.view.Settled; w.over {
		return
	}
	delete(l.waits, id)
	if m, ok := r.world.view.Member(w.member.Name); ok {
		w.member = m
		w.event.Members = []cluster.Member{m}
	}
	if !l.rule.Matches(w.member, r.world.view) {
		l.unwanted++
		return
	}
	r.occasion(l, nil, &job{event: w.event, member: &w.member, lasting: w.event.Type})
}

// still reports whether the state for which j waited lasts.
func (j *job) still(v cluster.View) bool {
	if j.lasting == "" {
		return true
	}
	m, ok := v.Member(j.member.Name)
	if !ok {
		return !v.Settled || lasts(j.lasting, nil)
	}
	return lasts(j.lasting, &m)
}

// stopTimers ends all that would happen later.
func (r *Runner) stopTimers() {
	if r.flush != nil {
		r.flush.Stop()
		r.flush = nil
	}
	for _, l := range r.byID {
		for id, w := range l.waits {
			w.timer.Stop()
			delete(l.waits, id)
		}
	}
}
