package cluster

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Subscription hands out what the node hears, from the moment it was made
// and across incarnations. A reader that is too slow misses events.
type Subscription struct {
	C <-chan Event // never closed

	c    chan Event
	lost atomic.Uint64
	bus  *Bus
}

// Lost returns how many events did not fit since the subscription was made.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the subscription. C stays open and gets nothing more.
func (s *Subscription) Close() { s.bus.remove(s) }

// A Bus hands every event to every subscription without ever waiting. The
// zero value is ready; a Bus must not be copied.
type Bus struct {
	mu   sync.Mutex
	subs []*Subscription
}

// Subscribe returns a subscription to all events, with room for size of them.
func (b *Bus) Subscribe(size int) *Subscription {
	c := make(chan Event, max(size, 1))
	s := &Subscription{C: c, c: c, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, s)
	return s
}

func (b *Bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = slices.DeleteFunc(b.subs, func(o *Subscription) bool { return o == s })
}

// Publish hands e to all; with whom it does not fit, it counts as lost.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		select {
		case s.c <- e:
		default:
			s.lost.Add(1)
		}
	}
}

// heard reports whether anybody listens.
func (b *Bus) heard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs) > 0
}
