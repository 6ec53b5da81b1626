package cluster

import (
	"context"
	"net/netip"
	"time"
)

// bridge joins seeds that answer but are no members. Two halves of a cluster
// that began apart, each with somebody of its own to join, would otherwise
// never hear of each other: no member of one is known to the other.
func (in *incarnation) bridge(ctx context.Context) {
	tick := time.NewTicker(max(in.c.RetryInterval, in.c.Backoff))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-in.bridging:
		}
		if in.wantsJoin.Load() {
			continue // the joiner tries them all
		}
		to := in.strangers(ctx)
		if len(to) == 0 {
			continue
		}
		// That a seed is down is no news: this node has others.
		if addr, err := in.joinOne(ctx, to); err == nil && addr != "" {
			in.discovery.joinedThrough(addr)
			in.log.Info("joined a part of the cluster that was apart", "through", addr)
			signal(in.dirty)
		}
	}
}

// strangers lists the addresses, of seeds and found by multicast DNS, at which
// no living member is known.
func (in *incarnation) strangers(ctx context.Context) []string {
	known := map[netip.AddrPort]bool{}
	for _, m := range in.node.View().Members {
		if m.Status == Alive {
			known[netip.AddrPortFrom(m.Addr, m.Port)] = true
		}
	}
	var out []string
	for _, seed := range in.c.Join {
		host, port, err := splitAddr(seedAddr(seed), int(in.port))
		if err != nil {
			continue
		}
		ips, err := lookup(ctx, host)
		if err != nil {
			continue
		}
		for _, ip := range ips {
			if addr := netip.AddrPortFrom(ip, uint16(port)); !known[addr] && !in.isSelf(addr) {
				out = append(out, addr.String())
			}
		}
	}
	for _, addr := range in.discovered(true) {
		if !known[addr] {
			out = append(out, addr.String())
		}
	}
	return out
}

// insistFor is how long a node that lost its name insists on it, and
// insistEvery how often: others that run Serf's agent forget an address half a
// minute after it failed, and then believe whoever claims the name next.
const (
	insistFor   = 2 * time.Minute
	insistEvery = 5 * time.Second
)

// insist joins again and again while others may still hold on to another
// address of this node's name: gossip alone would be heard half a minute later.
func (in *incarnation) insist(ctx context.Context, until time.Time) {
	for time.Now().Before(until) && sleep(ctx, insistEvery) {
		var living []string
		for _, addr := range in.node.living() {
			living = append(living, addr.String())
		}
		if len(living) == 0 {
			continue // the joiner is at it
		}
		if addr, err := in.joinOne(ctx, some(living)); err == nil && addr != "" {
			signal(in.dirty)
		}
	}
}
