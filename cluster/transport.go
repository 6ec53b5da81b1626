package cluster

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// A transport is memberlist's own over UDP and TCP with five differences: it
// runs prepare at the one moment when memberlist's configuration is complete
// and none of its goroutines runs; it goes only where an address says, never
// where a resolver does (members choose the addresses that replies go to);
// its dialling ends when the node stops; it tells of packets that the host
// itself refuses to send; and what comes in goes through a sieve.
type transport struct {
	*memberlist.NetTransport
	advertise netip.AddrPort
	found     bool // advertise was found, not configured
	prepare   func()
	unsent    func(name string) // told to whom a packet could not be sent
	once      sync.Once
	sieve     *sieve
	sieving   sync.WaitGroup

	ctx    context.Context // of everything dialled, and of what goes through the sieve
	stop   context.CancelFunc
	closed chan struct{} // nothing is read any more
	down   sync.Once
}

// listen opens the transport at e; what comes in is for sieve to let through.
func listen(e endpoint, sieve *sieve, logger *log.Logger) (*transport, error) {
	var nt *memberlist.NetTransport
	var err error
	// A free port of TCP's may be taken in UDP's space: try some.
	for range 10 {
		nt, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{e.bind.Addr().String()},
			BindPort:  int(e.bind.Port()),
			Logger:    logger,
		})
		if err == nil || e.bind.Port() != 0 {
			break
		}
	}
	if err != nil {
		// memberlist's error says it all but hides the cause from errors.Is.
		return nil, fmt.Errorf("cannot listen on %s: %w", e.bind, probeBind(e.bind, err))
	}
	advertise := e.advertise
	if advertise.Port() == 0 {
		advertise = netip.AddrPortFrom(advertise.Addr(), uint16(nt.GetAutoBindPort()))
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &transport{NetTransport: nt, advertise: advertise, found: e.found, sieve: sieve, ctx: ctx, stop: stop, closed: make(chan struct{})}
	t.sieving.Go(func() { sieve.run(ctx, nt.PacketCh(), t.closed) })
	t.sieving.Go(func() { sieve.streams(ctx, nt.StreamCh(), t.closed) })
	return t, nil
}

// probeBind returns the system's own error for binding to addr, else err.
func probeBind(addr netip.AddrPort, err error) error {
	l, lerr := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if lerr == nil {
		l.Close()
		u, uerr := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		if uerr == nil {
			u.Close()
			return err
		}
		lerr = uerr
	}
	if errors.Is(lerr, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; is another agent running?", lerr)
	}
	return lerr
}

// FinalAdvertiseAddr is called first by memberlist.Create after it has built
// itself and before it starts its goroutines.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	t.once.Do(t.prepare)
	ip := net.IP(t.advertise.Addr().AsSlice())
	if t.found {
		// memberlist writes an address it found in 16 bytes and any other
		// IPv4 address in 4, and takes the two for different ones: a host
		// that ran Serf before must look the same.
		ip = ip.To16()
	}
	return ip, int(t.advertise.Port()), nil
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if _, err := netip.ParseAddrPort(a.Addr); err != nil {
		return time.Time{}, fmt.Errorf("cannot send to %s: it is no address", quote(a.Addr))
	}
	at, err := t.NetTransport.WriteToAddress(b, a)
	if err != nil && a.Name != "" {
		t.unsent(a.Name)
	}
	return at, err
}

// PacketCh and StreamCh are where memberlist takes from what has come in.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.sieve.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.sieve.conns }

func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(a.Addr); err != nil {
		return nil, fmt.Errorf("cannot dial %s: it is no address", quote(a.Addr))
	}
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(t.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return &dialled{Conn: &stream{Conn: conn}, unhook: context.AfterFunc(t.ctx, func() { conn.Close() })}, nil
}

// A dialled connection is closed when its transport stops, at the latest.
type dialled struct {
	net.Conn
	unhook func() bool
}

func (d *dialled) Close() error {
	d.unhook()
	return d.Conn.Close()
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *transport) Shutdown() error {
	t.stop()
	err := t.NetTransport.Shutdown() // it waits for what it has read to be taken
	t.down.Do(func() { close(t.closed) })
	t.sieving.Wait()
	return err
}
