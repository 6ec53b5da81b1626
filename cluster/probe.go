package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// A Probe is what can be told of the way to a node from outside the cluster:
// what its gossip port answers over TCP and over UDP, and whether it has the
// same key. Probing joins nobody and tells nobody of this node.
type Probe struct {
	Addr netip.AddrPort
	// TCP is the way of streams: joins, exchanges of state, probes when UDP
	// fails. UDP is that of gossip and of probes. Large is that of UDP packets
	// as long as gossip's may be, 1,400 bytes; it is tried if UDP is open.
	TCP, UDP, Large Leg
	Key             Key
	// Seen are the members that it knows, itself among them, without their
	// tags; nil: it did not tell.
	Seen []Member
}

// A Leg is how one of the ways is.
type Leg struct {
	Way  Way
	Took time.Duration // until the answer, where there was one
	Err  string        // what the system, or the other side, said
}

// A Way is what became of a question.
type Way string

const (
	Untried Way = ""        // it was not asked
	Open    Way = "open"    // a node answered
	Refused Way = "refused" // nobody listens there, or a firewall says so
	Silent  Way = "silent"  // no answer in time, as when a firewall drops packets
	Barred  Way = "barred"  // this host would not send it, or a router says that it cannot
	Closed  Way = "closed"  // over TCP: connected, and hung up on without a word
	Mute    Way = "mute"    // over TCP: connected, and no answer in time
	Foreign Way = "foreign" // something answered that speaks another protocol
)

// A Key is how the gossip's keys of two nodes compare.
type Key string

const (
	KeyUnknown Key = ""
	KeySame    Key = "same"    // each reads the other, with a key or without any
	KeyDiffers Key = "differs" // both encrypt, and not with the same key
	KeyThere   Key = "there"   // only the other node encrypts
	KeyHere    Key = "here"    // only this one does
	// KeyBehind is a key that this node encrypts with and the other lacks,
	// though this one reads the other: a rotation that was not finished.
	KeyBehind Key = "behind"
)

const (
	// probeTimeout bounds a connect, and each answer over TCP.
	probeTimeout = 3 * time.Second
	// probePatience is how long an answer over UDP is waited for, probeTries
	// times: a packet may get lost.
	probePatience, probeTries = 600 * time.Millisecond, 4
	// maxPacket is memberlist's UDPBufferSize of the LAN and WAN profiles.
	maxPacket = 1400
)

// A prober probes one node.
type prober struct {
	to   netip.AddrPort
	keys *memberlist.Keyring // nil: none
	from netip.Addr          // to send from; unspecified or invalid: any
	port uint16              // of UDP, to send from; 0: any
	most int                 // of the members that it knows are read
}

// Probe probes the node at addr, "host[:port]", with c's key and from the
// address that c binds. With alone it sends from c's own UDP port, if that is
// free: a firewall may let only that through. It takes some ten seconds at
// most, besides the lookup of a name. The error is that the key or addr are
// not usable.
func (c Config) Probe(ctx context.Context, addr string, alone bool) (Probe, error) {
	c = c.withDefaults()
	to, err := resolve(ctx, seedAddr(addr), DefaultPort)
	if err != nil {
		return Probe{}, fmt.Errorf("cannot probe %q: %w", addr, err)
	}
	p := prober{to: to, most: c.MaxMembers}
	if p.keys, err = c.keyring(); err != nil {
		return Probe{}, err
	}
	if e, err := c.endpoint(ctx); err == nil {
		p.from = e.bind.Addr()
		if alone {
			p.port = e.bind.Port()
		}
	}
	return p.run(ctx), nil
}

// SeedAddress is a seed as in Config.Join, with the port that it means.
func SeedAddress(seed string) (string, error) {
	host, port, err := splitAddr(seedAddr(seed), DefaultPort)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// run asks over TCP and UDP side by side.
func (p prober) run(ctx context.Context) Probe {
	out := Probe{Addr: p.to}
	done := make(chan struct{})
	go func() {
		defer close(done)
		out.UDP = p.udp(ctx, 0)
		if out.UDP.Way == Open {
			out.Large = p.udp(ctx, maxPacket)
		}
	}()
	out.TCP, out.Key = p.tcp(ctx)
	if out.TCP.Way == Open && out.Key == KeySame {
		out.Seen = p.members(ctx)
	}
	<-done
	if out.UDP.Way == Open && out.Key == KeyUnknown {
		out.Key = KeySame
	}
	return out
}

// local is where to send from, for a net.Dialer; nil: anywhere.
func (p prober) local(udp bool) net.Addr {
	var ip net.IP
	if p.from.IsValid() && !p.from.IsUnspecified() && p.from.Is4() == p.to.Addr().Is4() {
		ip = p.from.AsSlice()
	}
	switch {
	case udp:
		return &net.UDPAddr{IP: ip, Port: int(p.port)}
	case ip == nil:
		return nil
	}
	return &net.TCPAddr{IP: ip}
}

// legOf says what an error of the network means.
func legOf(err error) Leg {
	leg := Leg{Way: Barred, Err: err.Error()}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		leg.Way = Refused
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		leg.Way = Silent
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		leg.Err = number.Error()
	}
	return leg
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// CheckBind finds out whether an agent of c, which does not run, could listen:
// the error says why not. It returns what would be told to the others, if that
// can be told at all.
func (c Config) CheckBind(ctx context.Context) (advertise netip.AddrPort, err error) {
	e, err := c.withDefaults().endpoint(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(e.bind))
	if err == nil {
		defer l.Close()
		var u *net.UDPConn
		if u, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(e.bind)); err == nil {
			u.Close()
			return e.advertise, nil
		}
	}
	return e.advertise, fmt.Errorf("cannot listen on %s: %w", e.bind, legError(err))
}

// legError is the system's own error without what was tried.
func legError(err error) error {
	if number := (syscall.Errno)(0); errors.As(err, &number) {
		return number
	}
	return err
}
