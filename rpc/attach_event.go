package rpc

import (
	"hash/maphash"
	"slices"

	"muster/cluster"
)

// What is heard at most, as a node of our own does.
const (
	maxHeard = 9<<10 + 512 // bytes of name and payload: Serf's limit, and some
	maxClock = 1 << 48     // Lamport times
)

// refuseEvent reports why an event cannot be one, as one of cluster's Refused
// reasons. Members who cannot be some are taken out of it.
func refuseEvent(e *cluster.Event, v cluster.View) (why string) {
	switch e.Type {
	case cluster.EventUser, cluster.EventQuery:
		switch {
		case len(e.Name)+len(e.Payload) > maxHeard:
			return cluster.RefusedSize
		case e.LTime >= maxClock:
			return cluster.RefusedClock
		}
		return ""
	case cluster.EventJoin, cluster.EventLeave, cluster.EventFailed, cluster.EventUpdate, cluster.EventReap:
	default:
		return cluster.RefusedMessage
	}
	loopback := v.SelfMember().Addr.IsLoopback() || v.Self == ""
	e.Members = slices.DeleteFunc(e.Members, func(m cluster.Member) bool {
		reason, err := m.Check(loopback)
		if err != nil {
			why = reason
		}
		return err != nil
	})
	if len(e.Members) > 0 {
		return ""
	}
	if why == "" {
		why = cluster.RefusedMessage
	}
	return why
}

// A memory knows the user events of late, so that one that an agent hears
// again after its restart, from the others, is not published again.
type memory struct {
	seed  maphash.Seed
	known map[heardEvent]struct{}
	order []heardEvent // oldest first
}

type heardEvent struct {
	ltime uint64
	sum   uint64 // of name and payload
}

// remembered is how many events: as many as Serf itself tells a node that
// joins, several times.
const remembered = 4096

func newMemory() *memory {
	return &memory{seed: maphash.MakeSeed(), known: map[heardEvent]struct{}{}}
}

// isNew reports whether e was not heard before.
func (m *memory) isNew(e cluster.Event) bool {
	var h maphash.Hash
	h.SetSeed(m.seed)
	_, _ = h.WriteString(e.Name) // never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(e.Payload)
	key := heardEvent{e.LTime, h.Sum64()}
	if _, known := m.known[key]; known {
		return false
	}
	if len(m.order) == remembered {
		delete(m.known, m.order[0])
		m.order = m.order[1:]
	}
	m.known[key] = struct{}{}
	m.order = append(m.order, key)
	return true
}
