package clustertest

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"golang.org/x/sys/unix"

	"muster/cluster"
)

type ping struct {
	SeqNo      uint32
	Node       string
	Target     []byte // of an indirect ping: the address to ask
	SourceAddr []byte
	SourcePort uint16
}

type ack struct {
	SeqNo   uint32
	Payload []byte
}

// packets answers what comes by UDP until the socket is closed.
func (u *Universe) packets() {
	buf, info := make([]byte, 65536), make([]byte, 64)
	for {
		n, k, _, from, err := u.udp.ReadMsgUDPAddrPort(buf, info)
		if err != nil {
			return
		}
		if to := sentTo(info[:k]); u.lives(to) {
			u.packet(buf[:n], from, to)
		}
	}
}

// sentTo reads the address that a packet was sent to out of its control
// message IP_PKTINFO: an index, a local address and that one, four bytes each.
func sentTo(info []byte) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(info)
	if err != nil || len(messages) == 0 || len(messages[0].Data) < unix.SizeofInet4Pktinfo {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(messages[0].Data[8:12])
	return addr
}

// packet answers one message sent to one of the members' addresses: pings of
// the member that is there, and rumours of a death.
func (u *Universe) packet(b []byte, from netip.AddrPort, at netip.Addr) {
	if len(b) == 0 {
		return
	}
	kind, b := b[0], b[1:]
	switch kind {
	case msgChecksum:
		if len(b) > 4 {
			u.packet(b[4:], from, at)
		}
	case msgCompress:
		if plain, err := decompress(bytes.NewReader(b)); err == nil {
			u.packet(plain, from, at)
		}
	case msgCompound:
		for _, part := range parts(b) {
			u.packet(part, from, at)
		}
	case msgPing, msgIndirectPing:
		// An indirect ping is answered as if its target had been asked.
		var p ping
		if decode(b, &p) != nil {
			return
		}
		if target, ok := netip.AddrFromSlice(p.Target); ok && kind == msgIndirectPing {
			at = target.Unmap()
		}
		if !u.answers(p.Node, at) {
			return
		}
		to := from
		if addr, ok := netip.AddrFromSlice(p.SourceAddr); ok && p.SourcePort != 0 {
			to = netip.AddrPortFrom(addr.Unmap(), p.SourcePort)
		}
		_, _ = u.udp.WriteToUDPAddrPort(encode(msgAck, ack{SeqNo: p.SeqNo}), to)
	case msgSuspect, msgDead:
		var s dead
		if decode(b, &s) == nil {
			u.refute(s.Node, s.Incarnation)
		}
	}
}

// answers reports whether name is a member that is there, at that address.
func (u *Universe) answers(name string, at netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, ok := u.members[name]
	return ok && f.Addr == at && (f.Status == cluster.Alive || f.Status == cluster.Leaving)
}

// lives reports whether anybody is at that address.
func (u *Universe) lives(at netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return at == seed || u.addrs[at] > 0
}

// refute contradicts a suspicion.
func (u *Universe) refute(name string, incarnation uint32) {
	u.mu.Lock()
	f, ok := u.members[name]
	if !ok || f.Status != cluster.Alive && f.Status != cluster.Leaving {
		u.mu.Unlock()
		return
	}
	f.incarnation = max(f.incarnation, incarnation) + 1
	msg := u.alive(f).Packet()
	var nodes []string
	for _, to := range u.nodes {
		nodes = append(nodes, to)
	}
	u.mu.Unlock()
	for _, to := range nodes {
		_ = u.send(to, msg)
	}
}

// parts splits a compound message; what is cut off is lost.
func parts(b []byte) [][]byte {
	if len(b) == 0 {
		return nil
	}
	n := int(b[0])
	sizes, rest := b[1:], b[1:]
	if len(rest) < 2*n {
		return nil
	}
	rest = rest[2*n:]
	var out [][]byte
	for i := range n {
		size := int(binary.BigEndian.Uint16(sizes[2*i:]))
		if size > len(rest) {
			break
		}
		out = append(out, rest[:size])
		rest = rest[size:]
	}
	return out
}

// streams answers what comes by TCP until the listener is closed.
func (u *Universe) streams() {
	for {
		conn, err := u.tcp.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		if u.closed {
			u.mu.Unlock()
			conn.Close()
			return
		}
		u.conns[conn] = struct{}{}
		u.mu.Unlock()
		u.wg.Go(func() {
			u.stream(conn)
			conn.Close()
			u.mu.Lock()
			delete(u.conns, conn)
			u.mu.Unlock()
		})
	}
}

// stream exchanges states, or answers a ping.
func (u *Universe) stream(conn net.Conn) {
	at := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if !u.lives(at) {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	kind, body, err := readStream(conn)
	if err != nil {
		return
	}
	switch kind {
	case msgPing:
		var p ping
		if codec.NewDecoder(body, &codec.MsgpackHandle{}).Decode(&p) == nil && u.answers(p.Node, at) {
			_, _ = conn.Write(encode(msgAck, ack{SeqNo: p.SeqNo}))
		}
	case msgPushPull:
		nodes, err := readNodes(body)
		if err != nil {
			return
		}
		u.mu.Lock()
		for _, n := range nodes {
			addr, ok := netip.AddrFromSlice(n.Addr)
			if _, ours := u.members[n.Node]; ok && !ours {
				u.nodes[n.Node] = netip.AddrPortFrom(addr.Unmap(), n.Port).String()
			}
		}
		state := u.state(true)
		u.mu.Unlock()
		_, _ = conn.Write(encodeState(state))
	}
}
