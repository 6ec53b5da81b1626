package cluster

import (
	"context"
	"maps"
	"slices"
	"time"
)

// The defaults of a Coalescer, those of Serf's agent.
const (
	CoalescePeriod = 3 * time.Second
	CoalesceQuiet  = time.Second
)

// A Coalescer makes few events of many, as Serf's agent does for its handlers
// and streams: events are held back until none has come for Quiet, or the
// first of them is Period old. Then there is one event per type of member
// event, with all members that it is about, and of the user events of one name
// that were sent to be coalesced only those of the highest Lamport time.
// Everything else passes at once.
//
// What a member went through in between is told by its outcome: a member that
// came and changed has joined, one that failed and came back has not failed,
// but was updated if it came back different, and one that is as it was said to
// be is not mentioned. What was told once is not told again.
//
// The zero Coalescer is ready to use. It has no clock of its own: Add and
// Flush are told the time, and Due says when to flush. Run does all that.
type Coalescer struct {
	Period, Quiet time.Duration // 0: CoalescePeriod and CoalesceQuiet

	members, users window
	latest         map[string]happened // by member: what came in this window
	told           map[string]happened // by member: what was handed on last
	events         map[string][]Event  // by name: user events of the highest Lamport time
}

// happened is what became of one member.
type happened struct {
	last   string // type of the latest event
	member Member // as that event has it
	joined bool   // it has joined, and not gone since
}

// A window is open from its first event to the flush.
type window struct {
	began, last time.Time // of its events; zero: closed
}

func (w *window) add(now time.Time) {
	if w.began.IsZero() {
		w.began = now
	}
	w.last = now
}

// due returns when the window is to be flushed; zero if it is closed.
func (w *window) due(period, quiet time.Duration) time.Time {
	if w.began.IsZero() {
		return time.Time{}
	}
	return earlier(w.began.Add(period), w.last.Add(quiet))
}

// earlier returns the earlier of a and b; a zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (c *Coalescer) period() time.Duration {
	if c.Period > 0 {
		return c.Period
	}
	return CoalescePeriod
}

func (c *Coalescer) quiet() time.Duration {
	if c.Quiet > 0 {
		return c.Quiet
	}
	return CoalesceQuiet
}

// Add takes e, heard at now, and reports whether it is held back. If not, it
// is the caller's to hand on.
func (c *Coalescer) Add(e Event, now time.Time) bool {
	if c.told == nil {
		c.latest, c.told, c.events = map[string]happened{}, map[string]happened{}, map[string][]Event{}
	}
	switch e.Type {
	case EventJoin, EventLeave, EventFailed, EventUpdate, EventReap:
		c.members.add(now)
		for _, m := range e.Members {
			h := c.latest[m.Name]
			joined := e.Type == EventJoin || e.Type == EventUpdate && h.joined
			c.latest[m.Name] = happened{e.Type, m, joined}
		}
		return true
	case EventUser:
		if !e.Coalesce {
			return false
		}
		c.users.add(now)
		switch held := c.events[e.Name]; {
		case len(held) == 0 || held[0].LTime < e.LTime:
			c.events[e.Name] = []Event{e}
		case held[0].LTime == e.LTime: // by two senders at once
			c.events[e.Name] = append(held, e)
		}
		return true
	}
	return false
}

// Due returns when to call Flush; zero while nothing is held back.
func (c *Coalescer) Due() time.Time {
	return earlier(c.members.due(c.period(), c.quiet()), c.users.due(c.period(), c.quiet()))
}

// Flush returns what has been held back for long enough at now: joins,
// updates, leaves, failures and reaps, their members sorted, and user events
// by name.
func (c *Coalescer) Flush(now time.Time) []Event {
	var out []Event
	if due := c.members.due(c.period(), c.quiet()); !due.IsZero() && !due.After(now) {
		out = c.flushMembers()
	}
	if due := c.users.due(c.period(), c.quiet()); !due.IsZero() && !due.After(now) {
		for _, name := range slices.Sorted(maps.Keys(c.events)) {
			out = append(out, c.events[name]...)
		}
		clear(c.events)
		c.users = window{}
	}
	return out
}

func (c *Coalescer) flushMembers() []Event {
	byType := map[string][]Member{}
	for name, h := range c.latest {
		kind := c.outcome(h)
		if kind == "" {
			continue
		}
		byType[kind] = append(byType[kind], h.member)
		if h.last == EventReap {
			delete(c.told, name) // it is forgotten everywhere
		} else {
			c.told[name] = happened{last: kind, member: h.member}
		}
	}
	clear(c.latest)
	c.members = window{}
	var out []Event
	for _, kind := range []string{EventJoin, EventUpdate, EventLeave, EventFailed, EventReap} {
		if ms := byType[kind]; len(ms) > 0 {
			SortMembers(ms)
			out = append(out, Event{Type: kind, Members: ms})
		}
	}
	return out
}

// outcome returns the type of event that takes whoever was told so far to what
// h has come to; empty if nothing is new.
func (c *Coalescer) outcome(h happened) string {
	told, known := c.told[h.member.Name]
	present := known && (told.last == EventJoin || told.last == EventUpdate)
	switch {
	case h.last == EventJoin || h.last == EventUpdate:
		switch {
		case !present && h.joined:
			return EventJoin
		case h.last == EventUpdate || !told.member.Equal(h.member):
			return EventUpdate
		}
		return ""
	case known && told.last == h.last:
		return ""
	}
	return h.last
}

// Run hands what comes in on, coalesced, until ctx is done or in is closed;
// what is held back then is handed on at once. It never calls out twice at a
// time.
func (c *Coalescer) Run(ctx context.Context, in <-chan Event, out func(Event)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	flush := func(now time.Time) {
		for _, e := range c.Flush(now) {
			out(e)
		}
	}
	for {
		var due <-chan time.Time
		if at := c.Due(); !at.IsZero() {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			flush(time.Now().Add(c.period()))
			return
		case e, open := <-in:
			if !open {
				flush(time.Now().Add(c.period()))
				return
			}
			if !c.Add(e, time.Now()) {
				out(e)
			}
		case <-due:
			flush(time.Now())
		}
	}
}
