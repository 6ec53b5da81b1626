package cluster

import (
	"fmt"
	"time"

	"github.com/hashicorp/serf/serf"
)

// A pushPull is the state that two Serf nodes exchange: the clocks, and the
// user events of late. The field names are those on the wire.
type pushPull struct {
	LTime        uint64
	StatusLTimes map[string]uint64
	LeftMembers  []string
	EventLTime   uint64
	Events       []*eventsAt
	QueryLTime   uint64
}

// eventsAt are the user events of one Lamport time.
type eventsAt struct {
	LTime  uint64
	Events []pastEvent
}

type pastEvent struct {
	Name    string
	Payload []byte
}

// MergeRemoteState is handed the state of another node, after its members
// have gone through NotifyAlive one by one. What is hostile is taken out of
// it, and the events that are not to be heard; the rest is Serf's.
func (g *gate) MergeRemoteState(buf []byte, join bool) {
	if g.shut() || len(buf) == 0 {
		return
	}
	if len(buf) > maxState {
		g.door.refuse(RefusedSize, "", fmt.Errorf("a state of %d bytes", len(buf)))
		return
	}
	if buf[0] != msgPushPull {
		g.door.refuse(RefusedMessage, "", fmt.Errorf("a state of the unknown type %d", buf[0]))
		return
	}
	var state pushPull
	if err := decode(buf[1:], &state); err != nil {
		g.door.refuse(RefusedMessage, "", fmt.Errorf("cannot decode a state: %w", err))
		return
	}
	dirty := g.clean(&state)
	if g.history.exchanged(&state, join, time.Now(), g.youth) || dirty {
		buf = encode(msgPushPull, &state)
	}
	g.delegate.MergeRemoteState(buf, join)
}

// witness makes Serf number its user events after clock.
func (g *gate) witness(clock uint64) {
	if clock > 0 {
		g.delegate.MergeRemoteState(encode(msgPushPull, &pushPull{EventLTime: clock + 1}), false)
	}
}

// clean takes out of state what is refused and reports whether that was
// anything.
func (g *gate) clean(state *pushPull) (dirty bool) {
	refuse := func(reason, sender string, err error) {
		g.door.refuse(reason, sender, err)
		dirty = true
	}
	for _, clock := range []*uint64{&state.LTime, &state.EventLTime, &state.QueryLTime} {
		if *clock > maxClock {
			refuse(RefusedClock, "", fmt.Errorf("a Lamport time of %d", *clock))
			*clock = 0
		}
	}
	for name, clock := range state.StatusLTimes {
		if err := checkName(name); err != nil {
			refuse(RefusedName, name, err)
			delete(state.StatusLTimes, name)
		} else if clock > maxClock {
			refuse(RefusedClock, name, fmt.Errorf("a Lamport time of %d", clock))
			delete(state.StatusLTimes, name)
		}
	}
	if n := len(state.StatusLTimes); n > 2*g.max {
		refuse(RefusedTooMany, "", fmt.Errorf("a state of %d members", n))
		state.StatusLTimes, state.LeftMembers = nil, nil
	}
	left := state.LeftMembers[:0]
	for _, name := range state.LeftMembers {
		if err := checkName(name); err != nil {
			refuse(RefusedName, name, err)
			continue
		}
		left = append(left, name)
	}
	state.LeftMembers = left
	for i, at := range state.Events {
		if at == nil {
			continue
		}
		if at.LTime > maxClock {
			refuse(RefusedClock, "", fmt.Errorf("a Lamport time of %d", at.LTime))
			state.Events[i] = nil
			continue
		}
		kept := at.Events[:0]
		for _, e := range at.Events {
			if n := len(e.Name) + len(e.Payload); n > serf.UserEventSizeLimit {
				refuse(RefusedSize, e.Name, fmt.Errorf("a user event of %d bytes", n))
				continue
			}
			kept = append(kept, e)
		}
		at.Events = kept
	}
	return dirty
}
