package demo

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
)

// A site is where a node is: an address, the port of its gossip (UDP and TCP),
// that of its service, and that of its page, if it has one.
type site struct {
	addr                  netip.Addr
	gossip, service, page uint16
}

func (s site) gossipAt() string  { return netip.AddrPortFrom(s.addr, s.gossip).String() }
func (s site) serviceAt() string { return netip.AddrPortFrom(s.addr, s.service).String() }
func (s site) pageAt() string    { return netip.AddrPortFrom(s.addr, s.page).String() }

// sites finds room for n nodes. Five neighbours somewhere in 127.0.0.0/8 with
// the usual ports are best, then with other ports, for somebody may listen on
// all addresses; then, where the loopback interface has but one address,
// different ports of it. Chance keeps two demos apart.
func sites(n int) ([]site, error) {
	var err error
	for attempt := range 30 {
		var found []site
		switch {
		case attempt < 5:
			found = neighbours(n, 7946, 8080, 8088)
		case attempt < 15:
			port := somePort()
			found = neighbours(n, port, port+1, port+2)
		default:
			found = flatmates(n, somePort())
		}
		if err = free(found); err == nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("cannot find free addresses for %d nodes on the loopback interface: %w", n, err)
}

// neighbours are n addresses of one random network in 127.0.0.0/8, less its
// first sixteenth, which people use.
func neighbours(n int, gossip, service, page uint16) []site {
	x, y := byte(16+rand.N(239)), byte(rand.N(256))
	var list []site
	for i := range n {
		list = append(list, site{netip.AddrFrom4([4]byte{127, x, y, byte(i + 1)}), gossip, service, page})
	}
	return list
}

// flatmates share one address, with ports from first on.
func flatmates(n int, first uint16) []site {
	var list []site
	for i := range uint16(n) {
		list = append(list, site{netip.AddrFrom4([4]byte{127, 0, 0, 1}), first + 3*i, first + 3*i + 1, first + 3*i + 2})
	}
	return list
}

// somePort is below what Linux gives to outgoing connections.
func somePort() uint16 { return uint16(20000 + rand.N(12000)) }

// free returns why a site is not free, or nil if all are.
func free(all []site) error {
	var open []io.Closer
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for _, s := range all {
		for _, at := range []string{s.gossipAt(), s.serviceAt(), s.pageAt()} {
			ln, err := net.Listen("tcp", at)
			if err != nil {
				return err
			}
			open = append(open, ln)
		}
		conn, err := net.ListenPacket("udp", s.gossipAt())
		if err != nil {
			return err
		}
		open = append(open, conn)
	}
	return nil
}
