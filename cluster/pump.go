package cluster

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/serf/serf"
)

// A Subscription hands out what the node hears, from the moment it was made
// and across incarnations. A reader that is too slow misses events.
type Subscription struct {
	C <-chan Event // never closed

	c    chan Event
	lost atomic.Uint64
	bus  *bus
}

// Lost returns how many events did not fit since the subscription was made.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the subscription. C stays open and gets nothing more.
func (s *Subscription) Close() { s.bus.remove(s) }

// A bus hands every event to every subscription without ever waiting.
type bus struct {
	mu   sync.Mutex
	subs []*Subscription
}

func (b *bus) add(size int) *Subscription {
	c := make(chan Event, max(size, 1))
	s := &Subscription{C: c, c: c, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, s)
	return s
}

func (b *bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = slices.DeleteFunc(b.subs, func(o *Subscription) bool { return o == s })
}

// publish hands e, converted at most once, to all.
func (b *bus) publish(e serf.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.subs) == 0 {
		return
	}
	event, ok := convert(e)
	if !ok {
		return
	}
	for _, s := range b.subs {
		select {
		case s.c <- event:
		default:
			s.lost.Add(1)
		}
	}
}

// pump is the only reader of one incarnation's events. It waits for nothing,
// does no I/O and never calls Serf, which waits for it: it publishes, and
// marks the view dirty. It ends when stop is closed and the rest is read.
func pump(events <-chan serf.Event, b *bus, dirty chan<- struct{}, stop <-chan struct{}) {
	take := func(e serf.Event) {
		if _, ok := e.(serf.MemberEvent); ok {
			signal(dirty)
		}
		b.publish(e)
	}
	for {
		select {
		case e := <-events:
			take(e)
		case <-stop:
			for {
				select {
				case e := <-events:
					take(e)
				default:
					return
				}
			}
		}
	}
}

// signal fills a one-slot channel.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// convert turns Serf's event into ours, sharing nothing with it.
func convert(e serf.Event) (Event, bool) {
	switch e := e.(type) {
	case serf.MemberEvent:
		out := Event{Type: e.String(), Members: make([]Member, 0, len(e.Members))}
		for _, m := range e.Members {
			m.Tags = maps.Clone(m.Tags)
			out.Members = append(out.Members, member(m))
		}
		SortMembers(out.Members)
		return out, true
	case serf.UserEvent:
		return Event{Type: EventUser, Name: e.Name, Payload: bytes.Clone(e.Payload), LTime: uint64(e.LTime)}, true
	case *serf.Query:
		return Event{Type: EventQuery, Name: e.Name, Payload: bytes.Clone(e.Payload), LTime: uint64(e.LTime)}, true
	}
	return Event{}, false
}

// member turns Serf's member into ours, sharing the tags.
func member(m serf.Member) Member {
	addr, _ := netip.AddrFromSlice(m.Addr)
	return Member{Name: m.Name, Addr: addr.Unmap(), Port: m.Port, Status: status(m.Status), Tags: m.Tags}
}

func status(s serf.MemberStatus) Status {
	switch s {
	case serf.StatusLeaving:
		return Leaving
	case serf.StatusLeft:
		return Left
	case serf.StatusFailed:
		return Failed
	}
	return Alive
}
