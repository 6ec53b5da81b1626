package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/mdns"
)

// MDNS says how the others are looked for on the local network, by multicast
// DNS (RFC 6762).
type MDNS struct {
	// Interface is the network interface to use; empty means
	// Config.Interface or, where that is empty too, the one that has the
	// address that is advertised.
	Interface string
	// DisableIPv4 and DisableIPv6 leave one of the two out of the search.
	DisableIPv4, DisableIPv6 bool
}

const (
	maxFound   = 32          // addresses kept of one search: anybody can answer
	searchTime = time.Second // for answers to come in
	sure       = 2           // searches without an answer until this node is the first
)

// A discovery is what one incarnation has found by multicast DNS.
type discovery struct {
	mu     sync.Mutex
	found  []netip.AddrPort        // by the latest search
	joined map[netip.AddrPort]bool // through these; they may be members at other addresses
}

// serviceName is what Serf's agent announces and looks for.
func serviceName(cluster string) string { return "_serf_" + cluster + "._tcp" }

// checkDiscover reports a name of a cluster that cannot be part of a DNS name.
func checkDiscover(cluster string) error {
	for label := range strings.SplitSeq("_serf_"+cluster, ".") {
		if label == "" || len(label) > maxLabel {
			return fmt.Errorf("it must make DNS names: each part between dots, with _serf_ before the first, has 1 to %d characters", maxLabel)
		}
	}
	for _, c := range cluster {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", c) {
			return fmt.Errorf("it has a %q; letters, digits, '.', '_' and '-' may be used", c)
		}
	}
	return nil
}

// maxLabel is how long a part of a DNS name may be (RFC 1035, section 2.3.4).
const maxLabel = 63

// instanceName is name as one label of a DNS name, or more if it has dots.
func instanceName(name string) string {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			h := fnv.New64a()
			h.Write([]byte(name))
			return fmt.Sprintf("%.40s-%016x", strings.ReplaceAll(name, ".", "-"), h.Sum64())
		}
	}
	return name
}

// discover announces this node and looks for others, ever again: often while
// it is alone, then every RetryInterval. It joins nobody; the joiner and the
// bridge do.
func (in *incarnation) discover(ctx context.Context) {
	logger := log.New(mdnsLog{in.log}, "", 0)
	var server *mdns.Server
	defer func() {
		if server != nil {
			_ = server.Shutdown() // it has no way to fail
		}
	}()
	wait, failed, empty := in.c.Backoff, false, 0
	for {
		var err error
		if server == nil {
			server, err = in.announce(logger)
		}
		var found []netip.AddrPort
		if err == nil {
			found, err = in.search(ctx, logger)
		}
		if ctx.Err() != nil {
			return
		}
		in.node.noteDiscover(err)
		if err != nil && !failed {
			in.log.Warn("cannot look for others by multicast DNS yet, trying on", "cluster", in.c.Discover, "error", err)
		} else if err == nil && failed {
			in.log.Info("looking for others by multicast DNS", "cluster", in.c.Discover)
		}
		failed = err != nil
		if err == nil {
			in.met(found)
			if empty++; len(found) > 0 {
				empty = 0
			} else if empty == sure {
				in.searched.Store(true)
				signal(in.wanted)
			}
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, max(in.c.RetryInterval, in.c.Backoff))
		if err == nil && !in.wantsJoin.Load() {
			wait = max(in.c.RetryInterval, in.c.Backoff)
		}
	}
}

// announce starts to answer those that look for this cluster.
func (in *incarnation) announce(logger *log.Logger) (*mdns.Server, error) {
	iface, err := in.multicastInterface()
	if err != nil {
		return nil, err
	}
	// Its own host name: of hosts cloned from one image all may have the same.
	name := instanceName(in.c.Name)
	service, err := mdns.NewMDNSService(name, serviceName(in.c.Discover), "", name+".", int(in.advertise.Port()),
		[]net.IP{in.advertise.Addr().AsSlice()}, []string{fmt.Sprintf("Serf '%s' cluster", in.c.Discover)})
	if err != nil {
		return nil, fmt.Errorf("cannot announce this node: %w", err)
	}
	server, err := mdns.NewServer(&mdns.Config{Zone: service, Iface: iface, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("cannot announce this node: %w; %s", err, multicastRemedy)
	}
	return server, nil
}

const multicastRemedy = "multicast needs an interface that is up and a route: `ip route add 224.0.0.0/4 dev INTERFACE`"

// search asks who is there, over IPv4 and IPv6, and returns those that could
// be members. It fails if neither could be asked.
func (in *incarnation) search(ctx context.Context, logger *log.Logger) ([]netip.AddrPort, error) {
	iface, err := in.multicastInterface()
	if err != nil {
		return nil, err
	}
	entries := make(chan *mdns.ServiceEntry, maxFound) // what does not fit is dropped
	var wg sync.WaitGroup
	var err4, err6 error
	ask := func(v4 bool, failure *error) {
		wg.Go(func() {
			*failure = mdns.QueryContext(ctx, &mdns.QueryParam{
				Service: serviceName(in.c.Discover), Timeout: searchTime, Interface: iface, Entries: entries,
				DisableIPv4: !v4, DisableIPv6: v4, Logger: logger,
			})
		})
	}
	if !in.c.MDNS.DisableIPv4 {
		ask(true, &err4)
	}
	if !in.c.MDNS.DisableIPv6 {
		ask(false, &err6)
	}
	wg.Wait() // not before the queries end are the entries complete
	close(entries)
	if (err4 != nil || in.c.MDNS.DisableIPv4) && (err6 != nil || in.c.MDNS.DisableIPv6) {
		return nil, fmt.Errorf("cannot ask: %w; %s", errors.Join(err4, err6), multicastRemedy)
	}
	var found []netip.AddrPort
	for e := range entries {
		if addr, ok := in.candidate(e); ok && !slices.Contains(found, addr) {
			found = append(found, addr)
		}
	}
	return found, nil
}

// candidate returns where an entry says that a member is, if that can be.
func (in *incarnation) candidate(e *mdns.ServiceEntry) (netip.AddrPort, bool) {
	_, service, _ := strings.Cut(strings.ToLower(e.Name), strings.ToLower("."+serviceName(in.c.Discover)))
	if service != ".local." || e.Port < 0 || e.Port > 65535 {
		return netip.AddrPort{}, false
	}
	ip := e.AddrV4
	if ip == nil && e.AddrV6IPAddr != nil {
		ip = e.AddrV6IPAddr.IP
	}
	addr, _ := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	at := netip.AddrPortFrom(addr, uint16(e.Port))
	// Gossip has no zones, without which an IPv6 link-local address is none.
	if checkAddress(addr.AsSlice(), at.Port(), in.advertise.Addr().IsLoopback()) != nil ||
		addr.Is6() && addr.IsLinkLocalUnicast() || in.isSelf(at) {
		return netip.AddrPort{}, false
	}
	return at, true
}

// met takes what a search found in place of what the one before did.
func (in *incarnation) met(found []netip.AddrPort) {
	d := &in.discovery
	d.mu.Lock()
	d.found = found
	d.mu.Unlock()
	if len(found) == 0 {
		return
	}
	signal(in.wanted)
	signal(in.bridging)
}

// discovered returns the addresses found, those that were joined through left
// out if fresh is set.
func (in *incarnation) discovered(fresh bool) []netip.AddrPort {
	d := &in.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.found), func(a netip.AddrPort) bool { return fresh && d.joined[a] })
}

// joinedThrough remembers that the address found leads into this cluster.
func (d *discovery) joinedThrough(addr string) {
	at, err := netip.ParseAddrPort(addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || !slices.Contains(d.found, at) {
		return
	}
	if d.joined == nil || len(d.joined) >= maxSenders {
		d.joined = map[netip.AddrPort]bool{}
	}
	d.joined[at] = true
}

// multicastInterface returns the interface to use; nil leaves it to the
// system.
func (in *incarnation) multicastInterface() (*net.Interface, error) {
	return in.c.multicastInterface(in.advertise.Addr())
}

// multicastInterface returns the interface of a node that advertises own.
func (c Config) multicastInterface(own netip.Addr) (*net.Interface, error) {
	name := c.MDNS.Interface
	if name == "" {
		name = c.Interface
	}
	if name != "" {
		iface, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fmt.Errorf("cannot use interface %q: %w", name, err)
		}
		return iface, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, nil
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && (p.Addr().Unmap() == own || own.IsLoopback() && p.Contains(own)) {
				return &all[i], nil
			}
		}
	}
	return nil, nil
}

// mdnsLog takes what the library logs: an error for whatever odd packet
// anybody sends.
type mdnsLog struct{ log *slog.Logger }

func (l mdnsLog) Write(line []byte) (int, error) {
	_, _, text := parseLine(line)
	l.log.Debug(oneLine(text, maxLogLine), "source", "mdns")
	return len(line), nil
}
