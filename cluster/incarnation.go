package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// An incarnation is one life of Serf with what belongs to it. Its goroutines
// are the pump, the viewer, the joiner, the bridge, the reporter, the coroner and, where
// others are looked for by multicast DNS, the search; the supervisor creates
// and ends it.
type incarnation struct {
	node  *Node
	c     Config
	log   *slog.Logger
	epoch uint64

	serf          *serf.Serf
	gate          *gate
	bound         netip.AddrPort
	advertise     netip.AddrPort
	port          uint16
	streamTimeout time.Duration
	endpoint      endpoint
	peers         map[string]netip.AddrPort // alive before this incarnation

	dirty     chan struct{} // one slot: look again
	wanted    chan struct{} // one slot: a join is wanted now
	gaveUp    chan error    // one slot: why joining was given up
	wantsJoin atomic.Bool
	joined    atomic.Bool   // a join completed since the last look
	first     atomic.Bool   // all seeds turned out to be this node
	searched  atomic.Bool   // multicast DNS, if it is used, has found nobody
	bridging  chan struct{} // one slot: there may be somebody to bridge to
	discovery discovery
	inquests  *inquests

	// The viewer's own.
	mirror   *mirror
	settler  *settler
	last     *View
	wasAlone bool

	stopPump chan struct{}
	cancel   context.CancelFunc // of all but the pump
	wg       sync.WaitGroup     // of all but the pump
	pump     sync.WaitGroup
	calls    sync.WaitGroup // of callers, by way of the lifeline

	room int          // bytes of Serf's that a packet carries
	keys *keyringFile // nil: none
}

// begin creates Serf and starts the goroutines around it. All that may fail
// for a reason outside is done before serf.Create, which leaks when it fails.
func (n *Node) begin(ctx context.Context, epoch uint64) (*incarnation, error) {
	e, err := n.address(ctx)
	if err != nil {
		return nil, err
	}
	peers, heard, err := readSnapshot(n.c.SnapshotPath, n.c.RejoinAfterLeave)
	if err == nil && n.c.SnapshotPath != "" {
		err = keepSnapshot(n.c.SnapshotPath)
	}
	if err == nil && epoch == 1 {
		err = n.resume(heard)
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(peers, n.living())
	delete(peers, n.c.Name)

	t, err := listen(e, &sieve{
		keys: n.keys, packets: make(chan *memberlist.Packet), conns: make(chan net.Conn),
		refuse: func(sender string, err error) { n.door.refuse(RefusedMessage, sender, err) },
	}, n.serfLog)
	if err != nil {
		return nil, err
	}
	in := &incarnation{
		node: n, c: n.c, log: n.log, epoch: epoch,
		advertise: t.advertise, port: uint16(t.GetAutoBindPort()), endpoint: e, peers: peers,
		dirty: make(chan struct{}, 1), wanted: make(chan struct{}, 1), gaveUp: make(chan error, 1), bridging: make(chan struct{}, 1),
		inquests: newInquests(),
		mirror:   newMirror(), last: &View{}, stopPump: make(chan struct{}),
	}
	in.bound = netip.AddrPortFrom(e.bind.Addr(), in.port)
	in.searched.Store(n.c.Discover == "")
	first := len(peers) == 0 && len(in.candidates()) == 0 && in.searched.Load()
	if err := in.create(t, first); err != nil {
		t.Shutdown()
		return nil, err
	}
	expected := make(map[string]struct{}, len(peers))
	for name := range peers {
		expected[name] = struct{}{}
	}
	in.settler = newSettler(n.c, first, expected, time.Now())
	n.started(in) // before there is a view of it
	ctx, in.cancel = context.WithCancel(context.WithoutCancel(ctx))
	in.wg.Go(func() { in.viewer(ctx) })
	in.wg.Go(func() { in.joiner(ctx) })
	in.wg.Go(func() { in.bridge(ctx) })
	if until := n.nameLost.Add(insistFor); time.Now().Before(until) {
		in.wg.Go(func() { in.insist(ctx, until) })
	}
	in.wg.Go(func() { in.reporter(ctx) })
	in.wg.Go(func() { in.coroner(ctx) })
	if n.c.Discover != "" {
		in.wg.Go(func() { in.discover(ctx) })
	}
	if in.keys != nil {
		in.wg.Go(func() { in.keys.keep(ctx, in.gate.keys) })
	}
	n.life.put(in, false)
	return in, nil
}

// create runs serf.Create on the transport, with the pump running. first says
// that there is nobody to join.
func (in *incarnation) create(t *transport, first bool) error {
	n := in.node
	events := make(chan serf.Event, 1024)
	conf := n.c.serfConfig()
	conf.Logger = n.serfLog
	conf.EventCh = events
	conf.MemberlistConfig.Logger = conf.Logger
	conf.MemberlistConfig.LogOutput = nil
	conf.MemberlistConfig.Keyring = n.keys
	conf.MemberlistConfig.Transport = t
	in.streamTimeout = conf.MemberlistConfig.TCPTimeout
	in.room = packetRoom(conf.MemberlistConfig)
	if n.c.KeyringFile != "" {
		in.keys = newKeyringFile(n.c.KeyringFile, n.log)
		conf.KeyringFile = in.keys.draft
	}

	in.gate = newGate(n.c, t.advertise)
	in.gate.door, in.gate.conflicts, in.gate.history = n.door, n.conflicts, n.history
	in.gate.youth = 2 * conf.MemberlistConfig.PushPullInterval
	in.gate.members = func() []Member { return n.View().Members }
	conf.MemberlistConfig.Alive = in.gate
	t.prepare = func() {
		in.gate.prepare(conf.MemberlistConfig)
		conf.MemberlistConfig.Ping = &pinger{conf.MemberlistConfig.Ping, n.reach}
		conf.MemberlistConfig.Conflict = &notary{conf.MemberlistConfig.Conflict, in.inquests, n.c.Name}
	}
	t.unsent = n.reach.lost

	clock := n.history.begin(first)
	p := pump{bus: &n.bus, history: n.history, dirty: in.dirty, self: n.c.Name, limit: conf.QueryResponseSizeLimit}
	in.pump.Go(func() { p.run(events, in.stopPump) })
	if err := n.tags.start(in, conf); err != nil {
		in.gate.close()
		close(in.stopPump)
		in.pump.Wait()
		return fmt.Errorf("cannot start Serf: %w", err)
	}
	in.gate.witness(clock)
	in.gate.letIn()
	return nil
}

// end stops the incarnation, leaving the cluster first if leave is set, which
// takes at most twice the broadcast timeout and the leave delay.
func (in *incarnation) end(leave bool) {
	in.node.life.put(nil, false)
	in.cancel()
	in.node.tags.stop()
	if leave {
		if err := in.serf.Leave(); err != nil {
			in.log.Warn("cannot leave gracefully", "error", err)
		}
	}
	in.gate.close()
	if err := in.serf.Shutdown(); err != nil {
		in.log.Warn("cannot stop Serf cleanly", "error", err)
	}
	in.wg.Wait()
	in.calls.Wait()
	close(in.stopPump)
	in.pump.Wait()
}

// The reasons for an incarnation to end while the node goes on.
var (
	errNameLost   = errors.New("another node holds this name")
	errNewAddress = errors.New("the local address changed")
	errGaveUp     = errors.New("nobody could be joined") // ends the node, too
)

// watch waits for the reason to end the incarnation: nil when ctx is done.
func (in *incarnation) watch(ctx context.Context) error {
	check := time.NewTicker(in.c.AddressCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.serf.ShutdownCh():
			return errNameLost
		case err := <-in.gaveUp:
			return err
		case <-check.C:
			if in.c.SnapshotPath != "" {
				if err := keepSnapshot(in.c.SnapshotPath); err != nil {
					in.log.Warn(err.Error())
				}
			}
			own := in.endpoint.own
			if !own.IsValid() || in.node.hostHas(own) {
				continue
			}
			// It may come back: only another in its place is a reason to move.
			if e, err := in.node.address(ctx); err == nil {
				in.log.Warn("the local address changed", "from", in.endpoint.advertise, "to", e.advertise)
				return errNewAddress
			}
		}
	}
}
