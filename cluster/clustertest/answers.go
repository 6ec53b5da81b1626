package clustertest

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"muster/cluster"
)

type ping struct {
	SeqNo      uint32
	Node       string
	SourceAddr []byte
	SourcePort uint16
}

type ack struct {
	SeqNo   uint32
	Payload []byte
}

// packets answers what comes by UDP until the socket is closed.
func (u *Universe) packets() {
	buf := make([]byte, 65536)
	for {
		n, from, err := u.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		u.packet(buf[:n], from)
	}
}

// packet answers one message: pings of whatever member, and suspicion.
func (u *Universe) packet(b []byte, from netip.AddrPort) {
	if len(b) == 0 {
		return
	}
	kind, b := b[0], b[1:]
	switch kind {
	case msgChecksum:
		if len(b) > 4 {
			u.packet(b[4:], from)
		}
	case msgCompress:
		if plain, err := decompress(bytes.NewReader(b)); err == nil {
			u.packet(plain, from)
		}
	case msgCompound:
		for _, part := range parts(b) {
			u.packet(part, from)
		}
	case msgPing, msgIndirectPing:
		// An indirect ping is answered as if its target had been asked.
		var p ping
		if decode(b, &p) != nil || !u.answers(p.Node) && kind == msgPing {
			return
		}
		to := from
		if addr, ok := netip.AddrFromSlice(p.SourceAddr); ok && p.SourcePort != 0 {
			to = netip.AddrPortFrom(addr.Unmap(), p.SourcePort)
		}
		_, _ = u.udp.WriteToUDPAddrPort(encode(msgAck, ack{SeqNo: p.SeqNo}), to)
	case msgSuspect:
		var s dead
		if decode(b, &s) == nil {
			u.refute(s.Node, s.Incarnation)
		}
	}
}

// answers reports whether name is a member that is there.
func (u *Universe) answers(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, ok := u.members[name]
	return ok && (f.Status == cluster.Alive || f.Status == cluster.Leaving)
}

// refute contradicts a suspicion.
func (u *Universe) refute(name string, incarnation uint32) {
	if !u.answers(name) {
		return
	}
	u.mu.Lock()
	f := u.members[name]
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
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	kind, body, err := readStream(conn)
	if err != nil {
		return
	}
	switch kind {
	case msgPing:
		var p ping
		if codec.NewDecoder(body, &codec.MsgpackHandle{}).Decode(&p) == nil && u.answers(p.Node) {
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
