// Package cluster is this node's part in a Serf cluster: who the members are,
// and what is heard from them. A Node embeds Serf and offers Views, which are
// the truth, and Events, which are reasons to look at it.
//
// It is the sole owner of Serf and memberlist. It refuses hostile names,
// addresses, tags and messages before they get anywhere, comes back by itself
// from a lost name or a changed address, and joins again for ever while it is
// alone. What to do about the members is for others to decide.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// ErrStay, as the cause of the cancellation of Run's context, makes the node
// stop without leaving: the others will see it fail and expect it back.
//
//	ctx, cancel := context.WithCancelCause(ctx)
//	go node.Run(ctx)
//	cancel(cluster.ErrStay)
var ErrStay = errors.New("stopped without leaving the cluster")

// A Node is one member of a Serf cluster. Its methods may be called from any
// goroutine, before, while and after Run.
type Node struct {
	c       Config // with defaults
	log     *slog.Logger
	serfLog *log.Logger
	keys    *memberlist.Keyring // kept across incarnations; nil: no encryption
	tags    *tagOwner
	history *history
	life    lifeline
	sending sync.Mutex    // one user event at a time
	asking  sync.Mutex    // one query at a time: only the call
	rekey   chan struct{} // one slot, held by whoever changes keys

	door      *door
	conflicts *conflicts
	reach     *reach
	stamina   *stamina
	bus       Bus
	view      atomic.Pointer[View]
	changed   chan struct{}

	// Where this host is, and whether it still is; tests move it.
	address func(context.Context) (endpoint, error)
	hostHas func(netip.Addr) bool

	nameLost time.Time // to another node, last; Run's own

	mu   sync.Mutex
	info Info
}

// Join checks c and returns a Node of it. Nothing happens on the network
// before Run.
func Join(c Config) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	keys, err := c.keyring()
	if err != nil {
		return nil, err
	}
	tags, err := c.startTags()
	if err != nil {
		return nil, err
	}
	n := &Node{
		c: c, log: c.Logger, keys: keys, tags: newTagOwner(c, tags),
		history: newHistory(0, c.ReplayOnJoin), rekey: make(chan struct{}, 1),
		door: newDoor(c.Logger), conflicts: &conflicts{}, stamina: newStamina(c), changed: make(chan struct{}, 1),
		address: c.endpoint, hostHas: hostHas,
		info: Info{
			Name: c.Name, Bind: c.Bind, Advertise: c.Advertise, Profile: c.Profile,
			Encrypted: keys != nil, Snapshot: c.SnapshotPath, Discover: c.Discover,
		},
	}
	n.reach = newReach(c.Logger, n.door)
	n.serfLog = newSerfLog(c.Logger, n.reach.hear)
	n.view.Store(&View{})
	return n, nil
}

// Run takes part in the cluster until ctx is done, and then leaves it, which
// takes up to eight seconds, unless the cause is ErrStay. It returns an error
// only if the node cannot start and waiting would not help, as when the port
// is taken, or if it gave up joining as Config.RetryMax says. Run once.
func (n *Node) Run(ctx context.Context) error {
	defer n.life.put(nil, true)
	wait := n.c.Backoff
	for epoch := uint64(1); ; {
		in, err := n.begin(ctx, epoch)
		if err != nil {
			if epoch == 1 && !waitable(err) {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
			n.log.Warn("cannot take part in the cluster yet, trying on", "error", err, "wait", wait)
			n.note(func(i *Info) { i.Problem = err.Error() })
			if !sleep(ctx, wait) {
				return nil
			}
			wait = min(2*wait, n.c.RetryInterval)
			continue
		}
		began := time.Now()
		why := in.watch(ctx)
		in.end(why == nil && context.Cause(ctx) != ErrStay || why == errNewAddress)
		switch {
		case why == nil:
			return nil
		case errors.Is(why, errGaveUp):
			return why
		}
		epoch++
		n.note(func(i *Info) { i.Problem = why.Error() })
		if why == errNameLost {
			n.nameLost = time.Now()
		}
		if why == errNewAddress {
			continue
		}
		if time.Since(began) > time.Minute {
			wait = n.c.Backoff
		}
		n.log.Warn("out of the cluster, coming back", "error", why, "wait", wait)
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(2*wait, n.c.RetryInterval)
	}
}

// sleep waits for about d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d/2+1)):
		return true
	}
}

// View returns the membership as last looked at; the zero View before the
// first look. While Serf is being created anew it stays the old one.
func (n *Node) View() View { return *n.view.Load() }

// Changed is signalled, one slot, whenever View may differ from what it was
// at the signal before.
func (n *Node) Changed() <-chan struct{} { return n.changed }

// Subscribe returns a subscription to all events, with room for size of them.
func (n *Node) Subscribe(size int) *Subscription { return n.bus.Subscribe(size) }

// SetTags lets change alter a copy of this node's tags, gossips the result
// and writes it to the tags file. What does not fit into 512 bytes is refused
// and nothing changes. It takes as long as the gossip does, up to
// Config.BroadcastTimeout; changes take turns.
func (n *Node) SetTags(ctx context.Context, change func(map[string]string)) error {
	return n.tags.set(ctx, change)
}

// publish makes v the view.
func (n *Node) publish(v *View) {
	n.view.Store(v)
	signal(n.changed)
}

// living returns where the other members of the last view are that were alive
// in it.
func (n *Node) living() map[string]netip.AddrPort {
	out := map[string]netip.AddrPort{}
	v := n.View()
	for _, m := range v.Members {
		if m.Status == Alive && m.Name != v.Self {
			out[m.Name] = netip.AddrPortFrom(m.Addr, m.Port)
		}
	}
	return out
}

// Info says what a node is and what happened to it.
type Info struct {
	Name      string `json:"name"`
	Bind      string `json:"bind"`      // address and port listened on
	Advertise string `json:"advertise"` // address and port told to others
	Profile   string `json:"profile"`
	Encrypted bool   `json:"encrypted"`
	// Through is the address of an agent that is followed over a network, in
	// the clear, whether or not its gossip is encrypted; empty otherwise.
	Through  string `json:"through,omitempty"`
	Snapshot string `json:"snapshot,omitempty"` // path
	Epoch    uint64 `json:"epoch"`              // incarnations of Serf so far
	// Joined is the number of joins completed, and JoinError why the latest
	// attempt failed, empty if it did not.
	Joined    uint64 `json:"joined"`
	JoinError string `json:"join_error,omitempty"`
	// Discover is the name under which others are looked for by multicast
	// DNS, and DiscoverError why that does not work, empty if it does.
	Discover      string `json:"discover,omitempty"`
	DiscoverError string `json:"discover_error,omitempty"`
	// Problem is why the node is, or last was, out of the cluster.
	Problem string `json:"problem,omitempty"`
	// Refused counts what was kept out, by the Refused reasons.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Conflicts are names that two nodes claimed, the latest 64.
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Unreachable are living members that do not answer this node's UDP.
	Unreachable []Unreachable `json:"unreachable,omitempty"`
}

// Info returns the state of things as a copy. It never holds a key.
func (n *Node) Info() Info {
	n.mu.Lock()
	info := n.info
	n.mu.Unlock()
	info.Refused, info.Conflicts, info.Unreachable = n.door.refused(), n.conflicts.all(), n.reach.all()
	return info
}

// note changes what Info returns.
func (n *Node) note(change func(*Info)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.info)
}

// started notes and logs a new incarnation.
func (n *Node) started(in *incarnation) {
	n.note(func(i *Info) {
		i.Bind, i.Advertise, i.Epoch, i.Problem = in.bound.String(), in.advertise.String(), in.epoch, ""
	})
	if limit := n.userEventSizeLimit(); limit > in.room {
		n.log.Warn("user_event_size_limit is more than a packet of gossip holds; longer events are refused",
			"limit", limit, "packet", in.room)
	}
	n.log.Info("taking part in the cluster", "name", n.c.Name, "bind", in.bound,
		"advertise", in.advertise, "encrypted", n.keys != nil, "epoch", in.epoch)
}

// noteDiscover notes how a search by multicast DNS went.
func (n *Node) noteDiscover(err error) {
	n.note(func(i *Info) {
		i.DiscoverError = ""
		if err != nil {
			i.DiscoverError = err.Error()
		}
	})
}

// noteJoin notes how a join went.
func (n *Node) noteJoin(err error) {
	n.note(func(i *Info) {
		if err != nil {
			i.JoinError = fmt.Sprint(err)
			return
		}
		i.Joined++
		i.JoinError = ""
	})
}
