package cluster

import (
	"bytes"
	"maps"
	"net/netip"

	"github.com/hashicorp/serf/serf"
)

// pump is the only reader of one incarnation's events. It waits for nothing,
// does no I/O and never calls Serf, which waits for it: it publishes, and
// marks the view dirty. It ends when stop is closed and the rest is read.
func pump(events <-chan serf.Event, b *Bus, dirty chan<- struct{}, stop <-chan struct{}) {
	take := func(e serf.Event) {
		if _, ok := e.(serf.MemberEvent); ok {
			signal(dirty)
		}
		if b.heard() {
			if event, ok := convert(e); ok {
				b.Publish(event)
			}
		}
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
