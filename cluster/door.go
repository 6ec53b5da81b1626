package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// The reasons for which something from the network is refused, as Info counts
// them.
const (
	RefusedName    = "name"    // a node's name is not [A-Za-z0-9_][A-Za-z0-9._-]{0,127}
	RefusedAddress = "address" // a node's address or port cannot be one
	RefusedTags    = "tags"    // a node's tags are too long or cannot be decoded
	RefusedVersion = "version" // a node speaks no protocol of ours
	RefusedTooMany = "members" // one node more than Config.MaxMembers
	RefusedSize    = "size"    // a message, event, query or state is too long
	RefusedMessage = "message" // a message cannot be decoded or is of no known type
	RefusedClock   = "clock"   // a message carries a Lamport time beyond reason
	RefusedAnswer  = "answer"  // an answer to a query comes from nobody known
)

const (
	maxName    = 128 // bytes of a node's name, as in Serf's validate_node_names
	maxSenders = 1024
	maxRefusal = 20 // refusals logged a minute
)

// checkName reports a node name that this cluster refuses: names become
// words of files, logs and snapshots.
func checkName(name string) error {
	if name == "" {
		return errors.New("it is empty; set node_name")
	}
	if len(name) > maxName {
		return fmt.Errorf("it is %d bytes long, more than %d", len(name), maxName)
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return fmt.Errorf("it has a %q; letters, digits and _ may be used, inside also . and -", c)
		}
	}
	return nil
}

// checkAddress reports an address and port that no member can have. Only a
// node that is itself on loopback has others there: to anybody else it would
// mean the host that reads it.
func checkAddress(ip []byte, port uint16, loopback bool) error {
	addr, ok := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	switch {
	case !ok:
		return fmt.Errorf("an address of %d bytes", len(ip))
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is no host's address", addr)
	case addr.IsLoopback() && !loopback:
		return fmt.Errorf("%s is this host itself", addr)
	case port == 0:
		return fmt.Errorf("port 0")
	}
	return nil
}

// A door counts and logs what is refused. It outlives incarnations.
type door struct {
	log *slog.Logger

	mu      sync.Mutex
	counts  map[string]uint64
	senders map[string]struct{} // reason and sender of what was logged
	order   []string            // of senders, oldest first
	minute  time.Time
	logged  int // in this minute
}

func newDoor(log *slog.Logger) *door {
	return &door{log: log, counts: map[string]uint64{}, senders: map[string]struct{}{}}
}

// refuse counts what is refused for a reason, and logs the first of each
// sender as far as the log's budget goes.
func (d *door) refuse(reason, sender string, err error) {
	if d.note(reason, quote(sender), time.Now()) {
		d.log.Warn("refused", "reason", reason, "sender", quote(sender), "error", oneLine(err.Error(), 200))
	}
}

// note counts one refusal and reports whether to log it.
func (d *door) note(reason, sender string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[reason]++
	key := reason + " " + sender
	if _, known := d.senders[key]; known {
		return false
	}
	if len(d.order) == maxSenders {
		delete(d.senders, d.order[0])
		d.order = d.order[1:]
	}
	d.senders[key] = struct{}{}
	d.order = append(d.order, key)
	return d.spend(now)
}

// afford reports whether the log's budget allows a line about something else
// that others do.
func (d *door) afford(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spend(now)
}

// spend takes a line from this minute's budget, if there is one left.
func (d *door) spend(now time.Time) bool {
	if now.Sub(d.minute) >= time.Minute {
		d.minute, d.logged = now, 0
	}
	d.logged++
	return d.logged <= maxRefusal
}

// refused returns the counts by reason.
func (d *door) refused() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]uint64, len(d.counts))
	for reason, n := range d.counts {
		out[reason] = n
	}
	return out
}

// NotifyAlive is memberlist's question whether to believe in a node. It is
// asked under memberlist's lock, about this node itself too; an error keeps
// that one node out and harms no other in the same message.
func (g *gate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == g.self && g.isOwn(n) {
		return nil
	}
	reason, err := g.check(n)
	if err != nil {
		g.door.refuse(reason, n.Name, err)
	}
	return err
}

// check finds the reason to refuse n, if there is one.
func (g *gate) check(n *memberlist.Node) (reason string, err error) {
	if err := checkName(n.Name); err != nil {
		return RefusedName, err
	}
	if err := checkAddress(n.Addr, n.Port, g.loopback); err != nil {
		return RefusedAddress, err
	}
	if err := checkMeta(n.Meta); err != nil {
		return RefusedTags, err
	}
	if !g.speaks(n) {
		return RefusedVersion, fmt.Errorf("it speaks protocols %d to %d and %d to %d", n.PMin, n.PMax, n.DMin, n.DMax)
	}
	if !g.admit(n.Name) {
		return RefusedTooMany, fmt.Errorf("there are %d members already; raise max_members", g.max)
	}
	return "", nil
}

// isOwn reports whether n is at this node's own address, so that what it says
// is memberlist's to refute.
func (g *gate) isOwn(n *memberlist.Node) bool {
	addr, ok := netip.AddrFromSlice(n.Addr)
	return ok && addr.Unmap() == g.advertise.Addr() && n.Port == g.advertise.Port()
}

// speaks reports whether n and this node understand each other: one that does
// not would make memberlist refuse every exchange of the whole list.
func (g *gate) speaks(n *memberlist.Node) bool {
	return n.PMin <= n.PCur && n.PCur <= n.PMax && n.DMin <= n.DCur && n.DCur <= n.DMax &&
		n.PMin <= g.protocol && g.protocol <= n.PMax && n.DMin <= g.delegateProtocol && g.delegateProtocol <= n.DMax
}

// forgetAfter is how long an admitted name has its place although no view
// shows it.
const forgetAfter = time.Minute

// admit reports whether there is room for name. Names that Serf has forgotten
// make room once it is needed.
func (g *gate) admit(name string) bool {
	if _, ok := g.known[name]; ok {
		return true
	}
	now := time.Now()
	if len(g.known) >= g.max && now.Sub(g.recount) >= time.Second {
		g.recount = now
		g.forget(now)
	}
	if len(g.known) >= g.max {
		return false
	}
	g.known[name] = now.Unix()
	return true
}

// forget gives up the places of names that no view shows any more.
func (g *gate) forget(now time.Time) {
	view := View{Members: g.members()}
	for name, since := range g.known {
		if _, ok := view.Member(name); !ok && name != g.self && now.Unix()-since > int64(forgetAfter.Seconds()) {
			delete(g.known, name)
		}
	}
}
