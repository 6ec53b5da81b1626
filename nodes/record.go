package nodes

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"muster/accrual"
	"muster/cluster"
	"muster/load"
)

// A record is what is remembered of one member.
type record struct {
	addr     netip.AddrPort
	status   cluster.Status
	since    time.Time         // in this status, as far as is known here
	silence  *accrual.Detector // nil: it has not answered yet
	load     *load.Load        // the last that could be read
	answered time.Time         // when; zero: never
	problem  string            // why the last answer could not be read
	rtt      time.Duration     // 0: not known
	clock    *Clock            // nil: not known
}

// Hear takes in an event about members, as a cluster.Handler. What no event
// tells, the next look finds.
func (b *Book) Hear(_ context.Context, e cluster.Event) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range e.Members {
		if e.Type == cluster.EventReap {
			delete(b.records, m.Name)
			continue
		}
		switch e.Type { // the status in it may be of a later moment
		case cluster.EventJoin:
			m.Status = cluster.Alive
		case cluster.EventFailed:
			m.Status = cluster.Failed
		case cluster.EventLeave:
			m.Status = cluster.Left
		case cluster.EventUpdate:
			continue
		}
		b.note(m, now)
	}
	if v := b.c.View(); len(b.records) > 2*len(v.Members)+16 {
		b.prune(v)
	}
}

// note brings the record of a member up to date.
func (b *Book) note(m cluster.Member, now time.Time) *record {
	r, addr := b.records[m.Name], netip.AddrPortFrom(m.Addr, m.Port)
	if r == nil {
		r = &record{addr: addr, status: m.Status, since: now}
		b.records[strings.Clone(m.Name)] = r
	}
	if r.addr != addr { // another node under that name
		*r = record{addr: addr, status: m.Status, since: now}
	}
	if r.status != m.Status {
		r.status, r.since = m.Status, now
	}
	if m.Status == cluster.Left {
		r.silence = nil // of one that has said good-bye nothing is expected
	}
	return r
}

// see brings the records up to date with the members.
func (b *Book) see(v cluster.View, now time.Time) {
	for _, m := range v.Members {
		b.note(m, now)
	}
	b.prune(v)
}

// prune forgets who is no member.
func (b *Book) prune(v cluster.View) {
	if len(b.records) <= len(v.Members) {
		return
	}
	for name := range b.records {
		if _, ok := v.Member(name); !ok {
			delete(b.records, name)
		}
	}
}

// answer takes in what a node said at now, which may be anything. Any answer
// is a sign of life. One of somebody who is no member is not looked at.
func (b *Book) answer(a cluster.Answer, now time.Time) {
	if a.Ack {
		return
	}
	l, at, err := load.Decode(a.Payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.records[a.From]
	if r == nil || r.status == cluster.Left {
		return
	}
	if r.silence == nil {
		r.silence = accrual.New(b.suspect)
	}
	r.silence.Heartbeat(now)
	if err != nil {
		r.problem = err.Error()
		return
	}
	r.load, r.answered, r.problem = &l, now, ""
	if r.clock = nil; !at.IsZero() {
		r.clock = clockOf(at, b.asked, now)
	}
}

// clockOf reckons how a clock stands that showed at sometime between asked and
// now: most likely in the middle (Cristian, "Probabilistic clock
// synchronization", 1989).
func clockOf(at, asked, now time.Time) *Clock {
	half := max(now.Sub(asked), 0) / 2
	return &Clock{Offset: at.Sub(now.Add(-half).Round(0)), Error: half + time.Millisecond}
}

// pause stops suspecting: nobody is asked.
func (b *Book) pause() {
	b.paused = true
	for _, r := range b.records {
		if r.silence != nil {
			r.silence.Pause()
		}
	}
}

// resume goes on suspecting: all have been asked at now.
func (b *Book) resume(now time.Time) {
	b.paused = false
	for _, r := range b.records {
		if r.silence != nil {
			r.silence.Resume(now)
		}
	}
}

// nextTurn returns the members whose round-trip times are to be estimated now.
func (b *Book) nextTurn() []string {
	members := b.c.View().Members
	n := len(members)
	if n == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	count := n
	if b.c.RTTs > 0 {
		count = min(b.c.RTTs, n)
	}
	names := make([]string, 0, count)
	for i := range count {
		names = append(names, members[(b.turn+i)%n].Name)
	}
	b.turn = (b.turn + count) % n
	return names
}

// measure estimates round-trip times.
func (b *Book) measure(ctx context.Context) {
	if b.c.RTT == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, name := range b.nextTurn() {
		rtt, ok := b.c.RTT(ctx, name)
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		if r := b.records[name]; r != nil {
			if r.rtt = rtt; !ok {
				r.rtt = 0
			}
		}
		b.mu.Unlock()
	}
}
