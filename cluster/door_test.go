package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "web-1.example", "_x", "9", strings.Repeat("n", 128)} {
		if err := checkName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", ".a", "a b", "a\n", "ü", "a;", "a/b", strings.Repeat("n", 129)} {
		if checkName(name) == nil {
			t.Errorf("%q is not refused", name)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		addr         string
		port         uint16
		loopback, ok bool
	}{
		{"10.0.0.1", 7946, false, true},
		{"2001:db8::1", 1, false, true},
		{"169.254.1.1", 1, false, true},
		{"127.0.0.1", 1, true, true},
		{"::1", 1, true, true},
		{"127.0.0.1", 1, false, false},
		{"::ffff:127.0.0.1", 1, false, false},
		{"::1", 1, false, false},
		{"10.0.0.1", 0, false, false},
		{"0.0.0.0", 1, false, false},
		{"::", 1, false, false},
		{"224.0.0.1", 1, false, false},
		{"ff02::1", 1, false, false},
		{"255.255.255.255", 1, false, false},
	} {
		err := checkAddress(netip.MustParseAddr(c.addr).AsSlice(), c.port, c.loopback)
		if (err == nil) != c.ok {
			t.Errorf("%s port %d, on loopback %v: %v", c.addr, c.port, c.loopback, err)
		}
	}
}

// Places of names that no view shows are given up, but not at once.
func TestAdmitForgets(t *testing.T) {
	var members []Member
	c := Config{Name: "self", MaxMembers: 3}.withDefaults()
	g := newGate(c, netip.MustParseAddrPort("127.0.0.1:1"))
	g.members = func() []Member { return members }
	for name, want := range map[string]bool{"a": true, "self": true} {
		if got := g.admit(name); got != want {
			t.Errorf("admit %s: %v", name, got)
		}
	}
	if !g.admit("b") || g.admit("c") {
		t.Error("not three members are admitted")
	}
	members = []Member{{Name: "a"}, {Name: "self"}}
	g.recount = time.Time{}
	if g.admit("c") {
		t.Error("b is forgotten before a view can show it")
	}
	g.known["b"] -= 100
	g.recount = time.Time{}
	if !g.admit("c") {
		t.Error("b is never forgotten")
	}
	if g.admit("d") || !g.admit("a") {
		t.Error("the wrong one is forgotten")
	}
}

// A flood of new senders costs a bounded memory and log.
func TestDoorIsBounded(t *testing.T) {
	var log bytes.Buffer
	d := newDoor(slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 10_000 {
		d.refuse(RefusedName, fmt.Sprintf("evil %d", i), errors.New("no"))
	}
	if got := d.refused()[RefusedName]; got != 10_000 {
		t.Errorf("%d counted", got)
	}
	if n := strings.Count(log.String(), "\n"); n != maxRefusal {
		t.Errorf("%d lines logged, want %d", n, maxRefusal)
	}
	if len(d.senders) > maxSenders || len(d.order) > maxSenders {
		t.Errorf("%d senders remembered", len(d.senders))
	}
}

// Messages wait until Serf is complete and go nowhere once the gate closes.
func TestGateOrder(t *testing.T) {
	g := newGate(Config{Name: "self"}.withDefaults(), netip.MustParseAddrPort("127.0.0.1:1"))
	g.door = newDoor(slog.New(slog.DiscardHandler))
	var s recorder
	m := &memberlist.Config{Delegate: &s, Events: &s}
	g.prepare(m)
	event := serfMessage(t, msgUserEvent, map[string]any{"LTime": 1, "Name": "x"})
	done := make(chan struct{})
	go func() { m.Delegate.NotifyMsg(event); close(done) }()
	select {
	case <-done:
		t.Fatal("a message did not wait for Serf")
	case <-time.After(20 * time.Millisecond):
	}
	g.letIn()
	<-done
	m.Events.NotifyJoin(&memberlist.Node{})
	g.close()
	m.Delegate.NotifyMsg(event)
	m.Delegate.MergeRemoteState(event, true)
	m.Events.NotifyJoin(&memberlist.Node{})
	if s.messages != 1 || s.joins != 1 {
		t.Errorf("Serf got %d messages and %d joins, want one each", s.messages, s.joins)
	}
}

// A recorder counts what reaches Serf.
type recorder struct {
	memberlist.Delegate
	memberlist.EventDelegate
	messages, joins int
	last            []byte
}

func (r *recorder) NotifyMsg(b []byte)                { r.messages++; r.last = b }
func (r *recorder) MergeRemoteState(b []byte, _ bool) { r.messages++; r.last = b }
func (r *recorder) NotifyJoin(*memberlist.Node)       { r.joins++ }

func serfMessage(t *testing.T, kind byte, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(kind)
	if err := codec.NewEncoder(&b, &codec.MsgpackHandle{}).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A state with nothing to refuse in it reaches Serf byte for byte.
func TestCleanStateIsUntouched(t *testing.T) {
	g := newGate(Config{Name: "self"}.withDefaults(), netip.MustParseAddrPort("127.0.0.1:1"))
	g.door = newDoor(slog.New(slog.DiscardHandler))
	var s recorder
	g.prepare(&memberlist.Config{Delegate: &s})
	g.letIn()
	state := serfMessage(t, msgPushPull, map[string]any{
		"LTime": 3, "StatusLTimes": map[string]uint64{"a": 1}, "LeftMembers": []string{"b"},
		"Events": []any{nil, map[string]any{"LTime": 1, "Events": []any{map[string]any{"Name": "e", "Payload": []byte("p")}}}},
	})
	g.MergeRemoteState(state, false)
	if !bytes.Equal(s.last, state) {
		t.Errorf("the state became %x, was %x", s.last, state)
	}
	if n := len(g.door.refused()); n != 0 {
		t.Errorf("%d kinds of refusal", n)
	}
}

// Whatever checkMeta lets in, Serf's decoder takes without an error.
func FuzzMeta(f *testing.F) {
	for _, tags := range []map[string]string{nil, {"role": "web"}, {"a": strings.Repeat("x", 300), "b": ""}} {
		var b bytes.Buffer
		b.WriteByte(tagMagic)
		if err := codec.NewEncoder(&b, &codec.MsgpackHandle{}).Encode(tags); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("role"))
	f.Add([]byte{255, 0xdf, 0, 0, 0, 1, 0xd9, 1, 'k', 0xc4, 1, 'v'})
	f.Fuzz(func(t *testing.T, meta []byte) {
		if checkMeta(meta) != nil || len(meta) == 0 || meta[0] != tagMagic {
			return
		}
		tags := map[string]string{}
		if err := decode(meta[1:], &tags); err != nil {
			t.Errorf("%x is let in: %v", meta, err)
		}
	})
}

// No message from the network makes the gate panic, and what it lets through
// is within bounds.
func FuzzGate(f *testing.F) {
	f.Add([]byte{msgUserEvent, 0x82, 0xa5, 'L', 'T', 'i', 'm', 'e', 1, 0xa4, 'N', 'a', 'm', 'e', 0xa1, 'x'})
	f.Add([]byte{msgLeave, 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa1, 'x'})
	f.Add([]byte{msgPushPull, 0x81, 0xa6, 'E', 'v', 'e', 'n', 't', 's', 0x91, 0xc0})
	f.Fuzz(func(t *testing.T, msg []byte) {
		g := newGate(Config{Name: "self"}.withDefaults(), netip.MustParseAddrPort("127.0.0.1:1"))
		g.door = newDoor(slog.New(slog.DiscardHandler))
		var s recorder
		g.prepare(&memberlist.Config{Delegate: &s})
		g.letIn()
		g.NotifyMsg(msg)
		g.MergeRemoteState(msg, true)
		if len(s.last) > maxState {
			t.Errorf("%d bytes got through", len(s.last))
		}
	})
}
