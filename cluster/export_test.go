package cluster

import (
	"context"
	"net/netip"
)

// LiveOn makes n, before it runs, believe that its host's only address is
// what at returns.
func (n *Node) LiveOn(at func() netip.Addr) {
	n.address = func(context.Context) (endpoint, error) {
		addr := netip.AddrPortFrom(at(), DefaultPort)
		return endpoint{bind: addr, advertise: addr, own: addr.Addr()}, nil
	}
	n.hostHas = func(a netip.Addr) bool { return a == at() }
}
