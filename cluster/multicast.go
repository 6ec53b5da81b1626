package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// CheckMulticast finds out whether a node of c could look for others by
// multicast DNS, and on which interface: the error says why not. Nothing is
// sent.
func (c Config) CheckMulticast(ctx context.Context) (on string, err error) {
	c = c.withDefaults()
	var own netip.Addr
	if e, err := c.endpoint(ctx); err == nil {
		own = e.advertise.Addr()
	}
	iface, err := c.multicastInterface(own)
	switch {
	case err != nil:
		return "", err
	case iface == nil:
		return "", errors.New("no interface has the address that is advertised")
	case iface.Flags&net.FlagUp == 0:
		return "", fmt.Errorf("interface %s is down", iface.Name)
	case iface.Flags&net.FlagMulticast == 0:
		return "", fmt.Errorf("interface %s cannot do multicast", iface.Name)
	}
	if c.MDNS.DisableIPv4 {
		return iface.Name, nil
	}
	// As for the search, which fails without a route.
	conn, err := net.ListenMulticastUDP("udp4", iface, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		return "", fmt.Errorf("multicast on %s: %w", iface.Name, legError(err))
	}
	conn.Close()
	d := net.Dialer{}
	route, err := d.DialContext(ctx, "udp4", "224.0.0.251:5353")
	if err != nil {
		return "", fmt.Errorf("multicast on %s: %w", iface.Name, legError(err))
	}
	route.Close()
	return iface.Name, nil
}
