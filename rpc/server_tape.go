package rpc

import (
	"errors"
	"sync"

	"muster/cluster"
)

// What may wait for the slowest of those who stream; whoever is further
// behind is sent away. A node that has just met a cluster of 10,000 hears of
// as many in a tenth of a second.
const (
	maxBehind      = 20_000
	maxBehindBytes = 8 << 20
	tapeSize       = 4096 // events between the node and the tape
)

var errLostEvents = errors.New("events came faster than they could be passed on")

// A tape passes the node's events on to all connections that stream. An event
// waits once, however many are behind, and no longer than one of them is.
type tape struct {
	sub     *cluster.Subscription
	stop    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	latest  *item
	cursors map[*cursor]struct{}
}

// An item is one event, and leads to the one after it.
type item struct {
	event cluster.Event
	next  *item  // nil: none yet
	count uint64 // of the events up to this one
	bytes uint64 // of them
}

// A cursor is how far one connection has got.
type cursor struct {
	tape *tape
	read *item         // the last one
	more chan struct{} // one slot: there may be more
	end  func(why error)
}

func startTape(n *cluster.Node) *tape {
	t := &tape{
		sub: n.Subscribe(tapeSize), stop: make(chan struct{}), stopped: make(chan struct{}),
		latest: &item{}, cursors: map[*cursor]struct{}{},
	}
	go t.run()
	return t
}

func (t *tape) run() {
	defer close(t.stopped)
	defer t.sub.Close()
	var lost uint64
	for {
		select {
		case <-t.stop:
			return
		case e := <-t.sub.C:
			t.add(e)
			if now := t.sub.Lost(); now > lost {
				lost = now
				t.endAll()
			}
		}
	}
}

// close ends the tape, which must have no cursors any more.
func (t *tape) close() {
	close(t.stop)
	<-t.stopped
}

// add passes an event on.
func (t *tape) add(e cluster.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	it := &item{event: e, count: t.latest.count + 1, bytes: t.latest.bytes + weight(e)}
	t.latest.next = it
	t.latest = it
	for c := range t.cursors {
		if it.count-c.read.count > maxBehind || it.bytes-c.read.bytes > maxBehindBytes {
			delete(t.cursors, c)
			c.end(errTooSlow)
		}
		select {
		case c.more <- struct{}{}:
		default:
		}
	}
}

// weight is about how much memory an event takes.
func weight(e cluster.Event) uint64 {
	const event, member, tag = 200, 150, 50
	n := event + len(e.Name) + len(e.Payload)
	for _, m := range e.Members {
		n += member + len(m.Name)
		for k, v := range m.Tags {
			n += tag + len(k) + len(v)
		}
	}
	return uint64(n)
}

// endAll sends everybody away: they would miss events without knowing.
func (t *tape) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.cursors {
		c.end(errLostEvents)
	}
	clear(t.cursors)
}

// cursor returns a cursor on what comes from now on. Where it gets too far
// behind, end is called, which must not wait.
func (t *tape) cursor(end func(error)) *cursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &cursor{tape: t, read: t.latest, more: make(chan struct{}, 1), end: end}
	t.cursors[c] = struct{}{}
	return c
}

// next returns the next event, if there is one already, and whether there is
// yet another.
func (c *cursor) next() (e cluster.Event, ok, more bool) {
	c.tape.mu.Lock()
	defer c.tape.mu.Unlock()
	if c.read.next == nil {
		return cluster.Event{}, false, false
	}
	c.read = c.read.next
	return c.read.event, true, c.read.next != nil
}

func (c *cursor) close() {
	c.tape.mu.Lock()
	defer c.tape.mu.Unlock()
	delete(c.tape.cursors, c)
}
