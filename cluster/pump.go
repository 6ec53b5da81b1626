package cluster

import (
	"bytes"
	"maps"
	"net/netip"

	"github.com/hashicorp/serf/serf"
)

// A pump is the only reader of one incarnation's events. It waits for
// nothing, does no I/O and never calls Serf, which waits for it: it publishes,
// and marks the view dirty.
type pump struct {
	bus     *Bus
	history *history
	dirty   chan<- struct{}
	self    string // this node
	limit   int    // bytes of an answer to a query
}

// take publishes e.
func (p *pump) take(e serf.Event) {
	switch e := e.(type) {
	case serf.MemberEvent:
		signal(p.dirty)
	case serf.UserEvent:
		if !p.history.fresh(e) {
			return
		}
	}
	if p.bus.heard() {
		if event, ok := p.convert(e); ok {
			p.bus.Publish(event)
		}
	}
}

// run ends when stop is closed and the rest is read.
func (p *pump) run(events <-chan serf.Event, stop <-chan struct{}) {
	for {
		select {
		case e := <-events:
			p.take(e)
		case <-stop:
			for {
				select {
				case e := <-events:
					p.take(e)
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
func (p *pump) convert(e serf.Event) (Event, bool) {
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
		return Event{
			Type: EventUser, Name: e.Name, Payload: bytes.Clone(e.Payload), LTime: uint64(e.LTime), Coalesce: e.Coalesce,
		}, true
	case *serf.Query:
		r := &responder{query: e, self: p.self, limit: p.limit, deadline: e.Deadline()}
		return Event{
			Type: EventQuery, Name: e.Name, Payload: bytes.Clone(e.Payload), LTime: uint64(e.LTime),
			From: e.SourceNode(), Deadline: r.deadline, Answer: r.answer,
		}, true
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
