package clustertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"muster/cluster"
)

// A Universe is any number of simulated members behind one port. Each has an
// address of its own in 127.0.0.0/8, all of which reach the universe's two
// sockets, bound to the loopback device; it answers pings of a member at its
// address. One that is Set at another address has gone from the old one. A
// real node that joins any of them knows them all and keeps them alive, with
// real Serf, real sockets and nothing else. Gossip must not be encrypted.
type Universe struct {
	udp  *net.UDPConn
	tcp  net.Listener
	port uint16
	wg   sync.WaitGroup

	mu      sync.Mutex
	members map[string]*fake
	addrs   map[netip.Addr]int // how many are there
	nodes   map[string]string  // real nodes by name: where they are
	clock   uint64
	conns   map[net.Conn]struct{}
	closed  bool
}

// A fake is a simulated member and the number of its last message.
type fake struct {
	cluster.Member
	incarnation uint32
}

// Members makes n members, alive, named PREFIX-00001 and so on, each with a
// loopback address of its own and the tags given.
func Members(prefix string, n int, tags map[string]string) []cluster.Member {
	out := make([]cluster.Member, n)
	for i := range out {
		out[i] = cluster.Member{
			Name: fmt.Sprintf("%s-%05d", prefix, i+1), Status: cluster.Alive, Tags: maps.Clone(tags),
			Addr: netip.AddrFrom4([4]byte{127, byte(100 + (i+1)>>16), byte((i + 1) >> 8), byte(i + 1)}),
		}
	}
	return out
}

// NewUniverse starts an empty universe at a free port, or at port if that is
// not 0.
func NewUniverse(port int) (*Universe, error) {
	// Bound to the loopback device, not to an address, it hears all of
	// 127.0.0.0/8 and nothing else.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var berr error
		err := c.Control(func(fd uintptr) { berr = unix.BindToDevice(int(fd), "lo") })
		return errors.Join(err, berr)
	}}
	u := &Universe{members: map[string]*fake{}, addrs: map[netip.Addr]int{}, nodes: map[string]string{}, conns: map[net.Conn]struct{}{}, clock: 1}
	var err error
	for range 10 {
		if u.tcp, err = lc.Listen(context.Background(), "tcp4", fmt.Sprintf(":%d", port)); err != nil {
			return nil, err
		}
		u.port = u.tcp.Addr().(*net.TCPAddr).AddrPort().Port()
		var p net.PacketConn
		if p, err = lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", u.port)); err == nil {
			u.udp = p.(*net.UDPConn)
			break
		}
		u.tcp.Close()
	}
	if err != nil {
		return nil, err
	}
	if err := u.tellDestinations(); err != nil {
		u.tcp.Close()
		u.udp.Close()
		return nil, err
	}
	u.wg.Go(u.packets)
	u.wg.Go(u.streams)
	return u, nil
}

// tellDestinations makes the socket tell where each packet was sent to.
func (u *Universe) tellDestinations() error {
	c, err := u.udp.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = c.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) })
	return errors.Join(err, serr)
}

// seed always answers, whoever is there.
var seed = netip.MustParseAddr("127.100.0.1")

// Seed returns an address to join the universe at.
func (u *Universe) Seed() string { return fmt.Sprintf("%s:%d", seed, u.port) }

// Close ends all members at once, without a word.
func (u *Universe) Close() {
	u.mu.Lock()
	u.closed = true
	for c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.tcp.Close()
	u.udp.Close()
	u.wg.Wait()
}

// Set adds members or changes them, and tells all real nodes that have
// joined: by one UDP packet if they are few, else by an exchange of state.
// The status is what the real nodes are to see; port 0 means the universe's.
func (u *Universe) Set(ms ...cluster.Member) error {
	const few = 64 // fits memberlist's queue of incoming messages
	u.mu.Lock()
	var msgs [][]byte
	for _, m := range ms {
		msgs = append(msgs, u.set(m)...)
	}
	nodes := slices.Sorted(maps.Values(u.nodes))
	u.mu.Unlock()
	alive := !slices.ContainsFunc(ms, func(m cluster.Member) bool { return m.Status != cluster.Alive })
	if len(msgs) > few && alive {
		return u.Sync()
	}
	for chunk := range slices.Chunk(msgs, few) {
		for _, to := range nodes {
			if err := u.send(to, Compound(chunk...)); err != nil {
				return err
			}
		}
		if len(msgs) > few {
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// set changes one member and returns the messages that say so.
func (u *Universe) set(m cluster.Member) [][]byte {
	f, known := u.members[m.Name]
	if !known {
		f = &fake{}
		u.members[m.Name] = f
	}
	was := f.Status
	if m.Port == 0 {
		m.Port = u.port
	}
	if known {
		u.addrs[f.Addr]--
	}
	u.addrs[m.Addr]++
	f.Member = m
	u.clock++
	switch m.Status {
	case cluster.Failed:
		return [][]byte{encode(msgDead, dead{f.incarnation, m.Name, "universe"})}
	case cluster.Left:
		// The packet is worked off last message first.
		return [][]byte{encode(msgDead, dead{f.incarnation, m.Name, m.Name}), intent(0, m.Name, u.clock)}
	case cluster.Leaving:
		return [][]byte{intent(0, m.Name, u.clock)}
	}
	f.incarnation++
	out := [][]byte{u.alive(f).Packet()}
	if known && was != cluster.Alive {
		out = append(out, intent(1, m.Name, u.clock))
	}
	return out
}

// alive returns what a member says of itself.
func (u *Universe) alive(f *fake) Alive {
	return Alive{Incarnation: f.incarnation, Node: f.Name, Addr: f.Addr.AsSlice(), Port: f.Port, Meta: Meta(f.Tags)}
}

// Event makes all real nodes hear a user event.
func (u *Universe) Event(name string, payload []byte) error {
	u.mu.Lock()
	u.clock++
	msg := UserEvent(name, payload, u.clock)
	nodes := slices.Sorted(maps.Values(u.nodes))
	u.mu.Unlock()
	for _, to := range nodes {
		if err := u.send(to, msg); err != nil {
			return err
		}
	}
	return nil
}

// Sync gives all real nodes that have joined the whole list.
func (u *Universe) Sync() error {
	u.mu.Lock()
	state, nodes := u.state(false), slices.Sorted(maps.Values(u.nodes))
	u.mu.Unlock()
	for _, to := range nodes {
		if _, err := Exchange(to, state); err != nil {
			return err
		}
	}
	return nil
}

// Nodes returns the names of the real nodes that have joined, sorted.
func (u *Universe) Nodes() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.nodes))
}

// state returns all members alive.
func (u *Universe) state(join bool) State {
	s := State{Join: join, Status: make(map[string]uint64, len(u.members))}
	for name, f := range u.members {
		s.Status[name] = 1
		if f.Status == cluster.Alive {
			s.Nodes = append(s.Nodes, u.alive(f))
		}
	}
	return s
}

// send sends one packet.
func (u *Universe) send(to string, msg []byte) error {
	addr, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		return err
	}
	_, err = u.udp.WriteToUDP(msg, addr)
	return err
}
