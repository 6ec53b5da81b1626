package cluster

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
)

// maxHeard is how many user events a history tells apart. Serf itself keeps
// those of 512 Lamport times.
const maxHeard = 4096

// A history decides which user events this node hears. Serf starts every
// incarnation with an empty memory, and replays what others remember to
// whomever they exchange states with; a history outlives incarnations.
//
// Events come in two ways. Gossip carries those of the last seconds. An
// exchange of states carries the last 512, to make good for lost gossip, and
// with them what was sent long before. So on a node without a past, the first
// exchange draws the line for all events. Where that was with members who had
// not heard any event either, they may be as new as the node itself, and meet
// those who remember together with it: for some time, what is ahead of all
// that the node has heard is of before, too, where an exchange brings it.
type history struct {
	replay bool // Config.ReplayOnJoin

	mu     sync.Mutex
	known  uint64    // up to here, events were heard in an earlier run
	since  uint64    // up to here, gossip is not heard
	past   uint64    // up to here, exchanges are not heard; never below since
	last   uint64    // the latest event heard
	joined bool      // there is a past: an exchange, or an earlier run
	deaf   bool      // not joined yet, and about to: gossip is not heard
	young  time.Time // until then those it met first may be as new as itself
	before []span    // besides, exchanges of these times are not heard

	replays, ignores int // joins going on that ask for the past, or not to have it

	seed   maphash.Seed
	heard  map[heardEvent]struct{}
	order  []heardEvent // of heard, a ring
	next   int          // in order
	forgot uint64       // the latest event that fell out of heard
}

// A heardEvent tells user events apart as Serf does: one name with two
// payloads at one time is two events.
type heardEvent struct{ ltime, sum uint64 }

// A span is the Lamport times from the first to the last.
type span struct{ first, last uint64 }

const (
	// lostInARow is how many events in a row gossip may lose on a new node
	// without its taking them for events of before.
	lostInARow = 8
	// maxSpans is how many spans are told apart.
	maxSpans = 32
)

// newHistory returns the history of a node whose earlier run heard the events
// up to since.
func newHistory(since uint64, replay bool) *history {
	h := &history{replay: replay, seed: maphash.MakeSeed(), heard: map[heardEvent]struct{}{}}
	h.resume(since)
	return h
}

// resume goes on where an earlier run ended, unless since is 0.
func (h *history) resume(since uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since > 0 {
		h.known, h.since, h.past, h.last, h.joined = since, since, since, since, true
	}
}

// begin prepares for a new incarnation, which has others to join unless
// alone, and returns the Lamport time that its events must come after.
func (h *history) begin(alone bool) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since, h.past = max(h.since, h.forgot), max(h.past, h.forgot)
	h.deaf = !h.joined && !h.replay && !alone
	return max(h.last, h.since)
}

// exchanging is told that this node's state goes out: the answer, which may
// draw the line, is near, and so is the other's gossip.
func (h *history) exchanging() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = !h.joined && !h.replay
}

// gossiped reports whether to hear a user event that came by gossip.
func (h *history) gossiped(ltime uint64, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf || ltime <= h.since {
		return false
	}
	if ltime > h.last+lostInARow+1 && now.Before(h.young) {
		h.exclude(h.last+1, ltime-1)
	}
	return true
}

// exclude takes the times from first to last for ones of before.
func (h *history) exclude(first, last uint64) {
	if len(h.before) == maxSpans {
		h.past = max(h.past, last)
		return
	}
	h.before = append(h.before, span{first, last})
}

// excluded reports whether an exchange's events of that time are of before,
// which past does not tell.
func (h *history) excluded(ltime uint64) bool {
	return slices.ContainsFunc(h.before, func(s span) bool { return s.first <= ltime && ltime <= s.last })
}

// exchanged takes the events out of state that are not to be heard, and
// reports whether there were any. join says that the state came with a join;
// youth is how long to distrust others from the first exchange on.
func (h *history) exchanged(state *pushPull, join bool, now time.Time, youth time.Duration) (dirty bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var latest uint64
	if state.EventLTime > 0 {
		latest = state.EventLTime - 1
	}
	line, all := h.known, h.replay || h.replays > 0
	switch {
	case all:
	case !h.joined:
		if latest == 0 {
			h.young = now.Add(youth)
		}
		h.since = max(h.since, latest)
		h.past = max(h.past, h.since)
		line = h.past
	default:
		switch {
		case join && h.ignores > 0:
			h.past = max(h.past, latest)
		case latest > h.last && now.Before(h.young):
			h.exclude(h.last+1, latest)
		}
		line = h.past
	}
	h.joined, h.deaf = true, false
	for i, at := range state.Events {
		if at != nil && len(at.Events) > 0 && (at.LTime <= line || !all && h.excluded(at.LTime)) {
			state.Events[i], dirty = nil, true
		}
	}
	return dirty
}

// joining counts a join that asks for the past or not to have it, until the
// function returned is called.
func (h *history) joining(replay bool) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := &h.ignores
	if replay {
		count = &h.replays
	}
	*count++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		*count--
	}
}

// fresh notes a user event and reports whether it was not heard before.
func (h *history) fresh(e serf.UserEvent) bool {
	var sum maphash.Hash
	h.mu.Lock()
	defer h.mu.Unlock()
	sum.SetSeed(h.seed)
	sum.WriteString(e.Name)
	sum.WriteByte(0)
	sum.Write(e.Payload)
	key := heardEvent{uint64(e.LTime), sum.Sum64()}
	if _, ok := h.heard[key]; ok {
		return false
	}
	if len(h.order) < maxHeard {
		h.order = append(h.order, key)
	} else {
		h.forgot = max(h.forgot, h.order[h.next].ltime)
		delete(h.heard, h.order[h.next])
		h.order[h.next] = key
		h.next = (h.next + 1) % maxHeard
	}
	h.heard[key] = struct{}{}
	h.last = max(h.last, key.ltime)
	return true
}
