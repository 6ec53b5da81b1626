package cluster

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// A member that crashes and comes back at another address is kept out until
// somebody has seen the old one fail. memberlist probes one member after the
// other, and the more slowly the fewer answer: when many move at once, that
// takes many minutes. So a claim to the name of another is looked into: if
// the claimant answers by that name, and the member's old address does not,
// the old one is declared dead. Should it live after all, it will hear of its
// death and contradict, as after any wrong suspicion (Das, Gupta and Motivala,
// "SWIM", 2002, section 4.2).

const (
	maxInquests = 1024            // open at a time: the claims come from the network
	inquirers   = 16              // inquests held at a time
	inquestRest = 3 * time.Second // between two of one name
	burial      = uint32(1) << 16 // incarnation declared dead: more than any has had
	msgDead     = 5               // type of a message of memberlist, in its net.go
)

// A claim is one of a name at another address than its member's.
type claim struct{ name, kept, claimed string }

// inquests are the claims to look into.
type inquests struct {
	mu   sync.Mutex
	open map[string]claim     // by name; the latest counts
	held map[string]time.Time // by name: when last
	news chan struct{}
}

func newInquests() *inquests {
	return &inquests{open: map[string]claim{}, held: map[string]time.Time{}, news: make(chan struct{}, 1)}
}

// note takes a claim, which memberlist makes known under its lock.
func (q *inquests) note(existing, other *memberlist.Node) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.open) >= maxInquests || time.Since(q.held[existing.Name]) < inquestRest {
		return
	}
	q.open[existing.Name] = claim{existing.Name, existing.Address(), other.Address()}
	signal(q.news)
}

// take returns the open claims, which are taken to be looked into now.
func (q *inquests) take() []claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, at := range q.held {
		if time.Since(at) >= inquestRest {
			delete(q.held, name)
		}
	}
	out := slices.Collect(maps.Values(q.open))
	clear(q.open)
	return out
}

// hold notes that an inquest has ended.
func (q *inquests) hold(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, name)
	q.held[name] = time.Now()
}

// coroner looks into claims until ctx is done.
func (in *incarnation) coroner(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	turn := make(chan struct{}, inquirers)
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.inquests.news:
		}
		for _, c := range in.inquests.take() {
			select {
			case <-ctx.Done():
				return
			case turn <- struct{}{}:
			}
			wg.Go(func() {
				defer func() { <-turn }()
				in.inquire(ctx, c)
				in.inquests.hold(c.name)
			})
		}
	}
}

// inquire looks into one claim, and lets the claimant in if it is right.
func (in *incarnation) inquire(ctx context.Context, c claim) {
	if in.node.reach.reports(c.name) {
		return // no answer means nothing: it is this node that cannot hear it
	}
	if !in.stands(c) || !in.answersTo(c.name, c.claimed) {
		return
	}
	for range 2 {
		if in.answersTo(c.name, c.kept) {
			return
		}
	}
	if ctx.Err() != nil || !in.stands(c) {
		return
	}
	if err := in.bury(c.name); err != nil {
		in.log.Warn("cannot declare a member dead that has moved", "name", c.name, "error", err)
		return
	}
	in.log.Info("a member has moved", "name", c.name, "from", c.kept, "to", c.claimed)
	select {
	case <-ctx.Done():
	case <-time.After(in.c.Reclaim + 100*time.Millisecond):
		// It tells who it is; if not now, then in the gossip.
		if _, err := in.serf.Join([]string{c.claimed}, !in.c.ReplayOnJoin); err == nil {
			signal(in.dirty)
		}
	}
}

// stands reports whether the name is still that of a member at the old
// address.
func (in *incarnation) stands(c claim) bool {
	return slices.ContainsFunc(in.serf.Memberlist().Members(), func(m *memberlist.Node) bool {
		return m.Name == c.name && m.Address() == c.kept
	})
}

// answersTo reports whether a node of that name answers at an address.
func (in *incarnation) answersTo(name, addr string) bool {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || in.isSelf(at) {
		return false
	}
	_, err = in.serf.Memberlist().Ping(name, net.UDPAddrFromAddrPort(at))
	return err == nil
}

// bury declares a member dead, to this node itself: memberlist offers no other
// way than its gossip.
func (in *incarnation) bury(name string) error {
	var msg bytes.Buffer
	msg.WriteByte(msgDead)
	err := codec.NewEncoder(&msg, &codec.MsgpackHandle{}).Encode(struct {
		Incarnation uint32
		Node, From  string
	}{burial, name, in.c.Name})
	if err != nil {
		return err
	}
	packet := msg.Bytes()
	if in.node.keys != nil {
		packet = seal(in.node.keys.GetPrimaryKey(), packet, nil)
	}
	self := in.bound
	if self.Addr().IsUnspecified() {
		self = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), self.Port())
	}
	conn, err := net.Dial("udp", self.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(packet)
	return err
}

// A notary notes claims on their way to the one who settles those to this
// node's own name.
type notary struct {
	memberlist.ConflictDelegate
	inquests *inquests
	self     string
}

func (n *notary) NotifyConflict(existing, other *memberlist.Node) {
	if existing.Name != n.self {
		n.inquests.note(existing, other)
	}
	n.ConflictDelegate.NotifyConflict(existing, other)
}
