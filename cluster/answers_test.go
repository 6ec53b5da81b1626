package cluster

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestReplies(t *testing.T) {
	var r replies
	now := time.Unix(0, 0)
	members := func() []Member { return []Member{{Name: "known"}} }
	passed := 0
	for range 3 * maxUnknown {
		if r.admit("unknown", "self", members, now) == nil {
			passed++
		}
	}
	if passed != maxUnknown {
		t.Errorf("%d answers of unknown nodes pass", passed)
	}
	for _, name := range []string{"self", "known"} {
		if err := r.admit(name, "self", members, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.admit("bad\nname", "self", members, now) == nil {
		t.Error("a bad name passes")
	}
	if err := r.admit("unknown", "self", members, now.Add(time.Minute)); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// A counter is a delegate that only counts what reaches Serf.
type counter struct{ messages int }

func (c *counter) NodeMeta(int) []byte             { return nil }
func (c *counter) NotifyMsg([]byte)                { c.messages++ }
func (c *counter) GetBroadcasts(int, int) [][]byte { return nil }
func (c *counter) LocalState(bool) []byte          { return nil }
func (c *counter) MergeRemoteState([]byte, bool)   {}

// A member floods this node with answers in names of its own invention: what
// Serf has to remember of them is bounded, and those of members pass.
func TestFloodOfAnswers(t *testing.T) {
	g := newGate(Config{Name: "self"}.withDefaults(), netip.MustParseAddrPort("127.0.0.1:1"))
	g.door = newDoor(Config{}.withDefaults().Logger)
	g.members = func() []Member { return []Member{{Name: "known"}} }
	serf := &counter{}
	g.delegate = serf
	g.letIn()
	answer := func(from string) []byte {
		return encode(msgQueryResponse, queryAnswer{LTime: 1, ID: 1, From: from, Payload: make([]byte, 900)})
	}
	const sent = 100_000
	for i := range sent {
		g.NotifyMsg(answer(fmt.Sprint("x", i)))
	}
	if serf.messages > 2*maxUnknown { // a minute may end in between
		t.Errorf("%d of %d reach Serf", serf.messages, sent)
	}
	if got := g.door.refused()[RefusedAnswer]; got != sent-uint64(serf.messages) {
		t.Errorf("%d are refused", got)
	}
	before := serf.messages
	g.NotifyMsg(answer("known"))
	g.NotifyMsg(answer("self"))
	if serf.messages != before+2 {
		t.Error("answers of members do not pass")
	}
}
