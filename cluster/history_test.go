package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"
	"pgregory.net/rapid"
)

// Whatever comes in whatever order, through whatever lives: no event is heard
// twice, none that was known from an earlier run, and on a node without one
// none from before its first exchange.
func TestHistoryProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		since := rapid.Uint64Range(0, 20).Draw(t, "since")
		h := newHistory(since, false)
		h.begin(rapid.Bool().Draw(t, "alone"))
		heard := map[uint64]bool{}
		hear := func(ltime uint64) {
			if !h.fresh(serf.UserEvent{LTime: serf.LamportTime(ltime), Name: "e"}) {
				return
			}
			if heard[ltime] {
				t.Fatalf("event %d is heard twice", ltime)
			}
			if ltime <= since {
				t.Fatalf("event %d is heard, known were those up to %d", ltime, since)
			}
			heard[ltime] = true
		}
		now, first := time.Unix(0, 0), true
		t.Repeat(map[string]func(*rapid.T){
			"gossip": func(t *rapid.T) {
				if ltime := rapid.Uint64Range(1, 40).Draw(t, "ltime"); h.gossiped(ltime, now) {
					hear(ltime)
				}
			},
			"exchange": func(t *rapid.T) {
				latest := rapid.Uint64Range(0, 40).Draw(t, "latest")
				state := &pushPull{EventLTime: latest + 1}
				for ltime := uint64(1); ltime <= latest; ltime++ {
					state.Events = append(state.Events, &eventsAt{LTime: ltime, Events: []pastEvent{{Name: "e"}}})
				}
				h.exchanging()
				if since == 0 && first && h.gossiped(latest, now) {
					t.Fatal("gossip is heard while the line is drawn")
				}
				h.exchanged(state, rapid.Bool().Draw(t, "join"), now, time.Minute)
				left := slices.DeleteFunc(state.Events, func(at *eventsAt) bool { return at == nil })
				if since == 0 && first && len(left) > 0 {
					t.Fatalf("the first exchange brings %d of %d events", len(left), latest)
				}
				if since == 0 && first && h.gossiped(latest, now) {
					t.Fatalf("event %d from before the first exchange is heard", latest)
				}
				first = false
				for _, at := range left {
					hear(at.LTime)
				}
			},
			"later": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "by"))
			},
			"anew": func(t *rapid.T) {
				clock := h.begin(rapid.Bool().Draw(t, "alone"))
				for ltime := range heard {
					if ltime > clock {
						t.Fatalf("begins at %d, heard %d before", clock, ltime)
					}
				}
			},
		})
	})
}

// left is what an exchange brings from one who has heard the events up to
// latest.
func (h *history) left(latest uint64, at time.Time) (out []uint64) {
	state := &pushPull{EventLTime: latest + 1}
	for ltime := uint64(1); ltime <= latest; ltime++ {
		state.Events = append(state.Events, &eventsAt{LTime: ltime, Events: []pastEvent{{Name: "e"}}})
	}
	h.exchanged(state, false, at, time.Minute)
	for _, at := range state.Events {
		if at != nil {
			out = append(out, at.LTime)
		}
	}
	return out
}

// Two new nodes meet an old one: what that remembers is of before for both,
// whether gossip or an exchange tells of it first.
func TestHistoryOfNewNodesThatMeetAnOldOne(t *testing.T) {
	for _, gossipFirst := range []bool{false, true} {
		h := newHistory(0, false)
		h.begin(false)
		now := time.Unix(0, 0)
		if got := h.left(0, now); got != nil { // with another new one
			t.Errorf("the first exchange brings %d", got)
		}
		now = now.Add(time.Second)
		if gossipFirst {
			if !h.gossiped(21, now) || !h.fresh(serf.UserEvent{LTime: 21, Name: "e"}) {
				t.Error("gossip is not heard")
			}
		}
		if got := h.left(20, now); got != nil {
			t.Errorf("an exchange with an older node brings %d", got)
		}
		if !h.gossiped(5, now) {
			t.Error("gossip is not heard")
		}
		if got := h.left(22, now.Add(time.Hour)); !slices.Equal(got, []uint64{21, 22}) {
			t.Errorf("an exchange much later brings %d", got)
		}
	}
}

// What gossip loses, an exchange makes good: on a new node among new ones,
// and at once on one that joins those who have heard something.
func TestHistoryRecovers(t *testing.T) {
	now := time.Unix(0, 0)
	for _, before := range []uint64{0, 30} {
		h := newHistory(0, false)
		h.begin(false)
		if got := h.left(before, now); got != nil {
			t.Errorf("the first exchange brings %d", got)
		}
		for _, after := range []uint64{1, 2, 5, 12} { // 3, 4 and six in a row are lost
			if ltime := before + after; !h.gossiped(ltime, now) || !h.fresh(serf.UserEvent{LTime: serf.LamportTime(ltime), Name: "e"}) {
				t.Errorf("event %d is not heard", ltime)
			}
		}
		var want []uint64
		for ltime := before + 1; ltime <= before+12; ltime++ {
			want = append(want, ltime)
		}
		if got := h.left(before+12, now.Add(time.Second)); !slices.Equal(got, want) {
			t.Errorf("after %d an exchange brings %d", before, got)
		}
	}
}

// A history remembers so many events and no more; those that it forgot count
// as heard in the next life.
func TestHistoryIsBounded(t *testing.T) {
	h := newHistory(0, false)
	h.begin(true)
	const sent = 3 * maxHeard
	for i := range serf.LamportTime(sent) {
		if !h.fresh(serf.UserEvent{LTime: i + 1, Name: "e"}) {
			t.Fatalf("event %d is no new one", i+1)
		}
	}
	if len(h.heard) != maxHeard || len(h.order) != maxHeard {
		t.Errorf("%d and %d are remembered", len(h.heard), len(h.order))
	}
	if clock := h.begin(true); clock != sent {
		t.Errorf("the next life begins at %d", clock)
	}
	if h.gossiped(sent-maxHeard, time.Time{}) {
		t.Error("a forgotten event is heard again")
	}
	if !h.gossiped(sent+1, time.Time{}) {
		t.Error("a new event is not heard")
	}
	if h.fresh(serf.UserEvent{LTime: sent, Name: "e"}) {
		t.Error("a remembered event is heard again")
	}
	if !h.fresh(serf.UserEvent{LTime: sent, Name: "e", Payload: []byte("x")}) {
		t.Error("another payload is no other event")
	}
}
