package cluster

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// A gate stands between memberlist and one incarnation of Serf. It refuses
// what is hostile, keeps messages waiting until Serf is complete (Serf uses
// itself from memberlist's goroutines before Create has returned), and falls
// silent before Serf is shut down, when nobody reads its events any more.
type gate struct {
	door      *door
	conflicts *conflicts
	history   *history
	log       *slog.Logger

	self                       string
	advertise                  netip.AddrPort
	loopback                   bool
	protocol, delegateProtocol uint8
	max                        int
	members                    func() []Member // of the view

	// Of Serf, set by prepare.
	delegate memberlist.Delegate
	events   memberlist.EventDelegate
	conflict memberlist.ConflictDelegate

	ready   chan struct{} // closed when Serf is complete, or will never be
	open    sync.Once
	closed  atomic.Bool
	youth   time.Duration // of history
	replies replies
	tags    tagLock
	keys    chan struct{} // one slot: the keys may have been changed

	// Under memberlist's lock, which NotifyAlive is called with.
	known   map[string]int64 // names admitted, and when: Unix seconds
	recount time.Time
	voted   time.Time
}

// newGate builds the gate of an incarnation that advertises addr.
func newGate(c Config, addr netip.AddrPort) *gate {
	return &gate{
		log: c.Logger, self: c.Name,
		advertise: addr, loopback: addr.Addr().IsLoopback(),
		protocol: serf.ProtocolVersionMap[uint8(c.Protocol)], delegateProtocol: uint8(c.Protocol),
		max: c.MaxMembers, ready: make(chan struct{}), keys: make(chan struct{}, 1),
		history: newHistory(0, true),
		known:   map[string]int64{c.Name: 0},
	}
}

// prepare puts the gate around the delegates that Serf has set in m.
func (g *gate) prepare(m *memberlist.Config) {
	g.delegate, g.events, g.conflict = m.Delegate, m.Events, m.Conflict
	m.Delegate, m.Events, m.Conflict = g, g, g
}

// letIn says that Serf is complete.
func (g *gate) letIn() { g.open.Do(func() { close(g.ready) }) }

// close lets nothing through any more.
func (g *gate) close() {
	g.closed.Store(true)
	g.letIn()
}

// shut waits until Serf is complete and reports whether the gate is closed.
func (g *gate) shut() bool {
	<-g.ready
	return g.closed.Load()
}

// isOpen reports, without waiting, whether Serf is complete and not closed.
func (g *gate) isOpen() bool {
	select {
	case <-g.ready:
		return !g.closed.Load()
	default:
		return false
	}
}

// NodeMeta, GetBroadcasts and LocalState are Serf's.
func (g *gate) NodeMeta(limit int) []byte {
	defer g.tags.written()
	return g.delegate.NodeMeta(limit)
}

func (g *gate) GetBroadcasts(overhead, limit int) [][]byte {
	return g.delegate.GetBroadcasts(overhead, limit)
}

func (g *gate) LocalState(join bool) []byte {
	g.history.exchanging()
	return g.delegate.LocalState(join)
}

// NotifyJoin, NotifyLeave and NotifyUpdate are called under memberlist's lock
// and write Serf's event channel, which has no reader once the gate is closed.
func (g *gate) NotifyJoin(n *memberlist.Node) {
	if !g.closed.Load() {
		g.events.NotifyJoin(n)
	}
}

func (g *gate) NotifyLeave(n *memberlist.Node) {
	if !g.closed.Load() {
		g.events.NotifyLeave(n)
	}
}

func (g *gate) NotifyUpdate(n *memberlist.Node) {
	if !g.closed.Load() {
		g.events.NotifyUpdate(n)
	}
}

// voteEvery is how often a name conflict may make Serf ask the others: every
// message of the other node is one conflict, and a vote takes seconds.
const voteEvery = 5 * time.Second

// NotifyConflict is told, under memberlist's lock, of a second address for a
// name; memberlist keeps the first.
func (g *gate) NotifyConflict(existing, other *memberlist.Node) {
	// One that is out to flood takes another address each time.
	if now := time.Now(); g.conflicts.note(existing, other, now) && g.door.afford(now) {
		g.log.Warn("two nodes claim one name", "name", existing.Name,
			"kept", existing.Address(), "refused", other.Address(), "self", existing.Name == g.self)
	}
	if existing.Name != g.self || !g.isOpen() || time.Since(g.voted) < voteEvery {
		return
	}
	g.voted = time.Now()
	g.conflict.NotifyConflict(existing, other)
}

// The types of Serf's messages that are let through.
const (
	msgLeave         = 0
	msgJoin          = 1
	msgPushPull      = 2
	msgUserEvent     = 3
	msgQuery         = 4
	msgQueryResponse = 5
	msgRelay         = 9
)

const (
	// maxMessage bounds one message: Serf's largest user event and its frame.
	maxMessage = serf.UserEventSizeLimit + 512
	// maxState bounds what one exchange of state may carry besides the
	// members: their clocks and the last 512 events.
	maxState = 8 << 20
	// maxClock is a Lamport time that no cluster ever counts up to.
	maxClock = 1 << 48
)

// A header is what all of Serf's messages are checked for.
type header struct {
	LTime uint64
	Node  string // of an intent to join or leave
	Name  string // of an event or query
	From  string // of an answer to a query
}

// NotifyMsg is handed every message of Serf's.
func (g *gate) NotifyMsg(buf []byte) {
	if g.shut() || len(buf) == 0 {
		return
	}
	h, reason, sender, err := checkMessage(buf)
	if err != nil {
		g.door.refuse(reason, sender, err)
		return
	}
	switch buf[0] {
	case msgUserEvent:
		if !g.history.gossiped(h.LTime, time.Now()) {
			return
		}
	case msgQuery:
		g.tags.RLock()
		defer g.tags.RUnlock()
		if isKeyQuery(h.Name) {
			defer signal(g.keys)
		}
	case msgQueryResponse:
		if err := g.replies.admit(h.From, g.self, g.members, time.Now()); err != nil {
			g.door.refuse(RefusedAnswer, h.From, err)
			return
		}
		g.replies.Lock()
		defer g.replies.Unlock()
	}
	g.delegate.NotifyMsg(buf)
}

// checkMessage reads what is checked of a message and finds the reason to
// refuse it, if there is one, and who is to be named for it.
func checkMessage(buf []byte) (h header, reason, sender string, err error) {
	switch buf[0] {
	case msgLeave, msgJoin, msgUserEvent, msgQuery, msgQueryResponse, msgRelay:
	default:
		return h, RefusedMessage, "", fmt.Errorf("it is of the unknown type %d", buf[0])
	}
	if len(buf) > maxMessage {
		return h, RefusedSize, "", fmt.Errorf("a message of %d bytes", len(buf))
	}
	if buf[0] == msgRelay {
		return h, "", "", nil
	}
	if err := decode(buf[1:], &h); err != nil {
		return h, RefusedMessage, "", fmt.Errorf("cannot decode it: %w", err)
	}
	if buf[0] == msgLeave || buf[0] == msgJoin {
		if err := checkName(h.Node); err != nil {
			return h, RefusedName, h.Node, err
		}
	}
	if h.LTime > maxClock {
		return h, RefusedClock, h.Node + h.Name, fmt.Errorf("a Lamport time of %d", h.LTime)
	}
	return h, "", "", nil
}
