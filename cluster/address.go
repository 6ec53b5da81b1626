package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/hashicorp/go-sockaddr"
)

// An endpoint is where a node listens and what it tells the others.
type endpoint struct {
	bind      netip.AddrPort // port 0: any
	advertise netip.AddrPort // port 0: the one bound
	found     bool           // advertise was found, not configured
	own       netip.Addr     // what the host must keep; invalid if it was configured
}

// errNoAddress says that the host has no address to use, yet: an interface
// may come up later.
var errNoAddress = errors.New("no usable address")

// waitable reports whether err may pass by itself, as an address that is
// missing while the host boots does.
func waitable(err error) bool {
	return errors.Is(err, errNoAddress) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// endpoint finds out what to bind and to advertise now, on this host.
func (c Config) endpoint(ctx context.Context) (endpoint, error) {
	var e endpoint
	bind, err := resolve(ctx, c.Bind, DefaultPort)
	if err != nil {
		return e, fmt.Errorf("cannot bind to %q: %w", c.Bind, err)
	}
	if c.Interface != "" {
		ip, err := onInterface(c.Interface, bind.Addr())
		if err != nil {
			return e, err
		}
		bind = netip.AddrPortFrom(ip, bind.Port())
		e.own = ip
	}
	e.bind = bind
	if c.Advertise != "" {
		e.advertise, err = resolve(ctx, c.Advertise, int(bind.Port()))
		if err != nil {
			return e, fmt.Errorf("cannot advertise %q: %w", c.Advertise, err)
		}
		return e, nil
	}
	ip := bind.Addr()
	if ip.IsUnspecified() {
		if ip, err = ownAddress(); err != nil {
			return e, err
		}
		e.found, e.own = true, ip
	}
	e.advertise = netip.AddrPortFrom(ip, bind.Port())
	return e, nil
}

// hostHas reports whether addr is one of this host's; when in doubt it is.
func hostHas(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}

// resolve turns "host[:port]" into an address, asking the resolver for at
// most ten seconds where host is a name.
func resolve(ctx context.Context, addr string, port int) (netip.AddrPort, error) {
	host, port, err := splitAddr(addr, port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ips, err := lookup(ctx, host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errNoAddress, err)
	}
	return netip.AddrPortFrom(ips[0], uint16(port)), nil
}

// lookup returns the addresses of host, at least one.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%q has no address", host)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, nil
}

// onInterface returns want if the interface has it or, if want is
// unspecified, the interface's first address that is not link-local.
func onInterface(name string, want netip.Addr) (netip.Addr, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot use interface %q: %w: %w", name, errNoAddress, err)
	}
	addrs, err := iface.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot use interface %q: %w", name, err)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		if ip == want || want.IsUnspecified() && !ip.IsLinkLocalUnicast() {
			return ip, nil
		}
	}
	if want.IsUnspecified() {
		return netip.Addr{}, fmt.Errorf("cannot use interface %q: %w on it", name, errNoAddress)
	}
	return netip.Addr{}, fmt.Errorf("cannot use interface %q: %w: it does not have %s", name, errNoAddress, want)
}

// ownAddress returns the address to advertise for a node bound to them all:
// the first private one, as Serf does, else the first global one.
func ownAddress() (netip.Addr, error) {
	for _, find := range []func() (string, error){sockaddr.GetPrivateIP, sockaddr.GetPublicIP} {
		if s, err := find(); err == nil && s != "" {
			return netip.ParseAddr(s)
		}
	}
	return netip.Addr{}, fmt.Errorf("cannot tell what to advertise: %w: this host has none but loopback; set advertise", errNoAddress)
}
