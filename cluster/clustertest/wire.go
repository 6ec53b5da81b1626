// Package clustertest offers what tests of a cluster need besides real nodes:
// a Universe of simulated members, thousands of which live in one process and
// are reached over loopback by real Serf, and the messages on memberlist's
// wire, to be forged.
//
// It does not know how a node works inside: all of it goes through sockets.
package clustertest

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// The types of memberlist's messages, from its net.go.
const (
	msgPing         = 0
	msgIndirectPing = 1
	msgAck          = 2
	msgSuspect      = 3
	msgAlive        = 4
	msgDead         = 5
	msgPushPull     = 6
	msgCompound     = 7
	msgUser         = 8
	msgCompress     = 9
	msgChecksum     = 12
)

// An Alive says that a node exists. As a packet it is gossip; in a State it
// is one entry of a node's list.
type Alive struct {
	Incarnation uint32
	Node        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Vsn         []uint8
}

// Versions are the protocol versions of an ordinary node that does not ask
// for checksums: memberlist's least, most and current, then Serf's.
var versions = []uint8{1, 4, 2, 2, 5, 5}

// Packet returns a as a message to Send. Missing versions are those of an
// ordinary node.
func (a Alive) Packet() []byte {
	if a.Vsn == nil {
		a.Vsn = versions
	}
	return encode(msgAlive, &a)
}

// Suspect returns what a node says that suspects another, as a message to
// Send.
func Suspect(node, from string, incarnation uint32) []byte {
	return encode(msgSuspect, dead{incarnation, node, from})
}

type dead struct {
	Incarnation uint32
	Node, From  string
}

// Meta encodes tags as Serf does, without a limit.
func Meta(tags map[string]string) []byte { return encode(255, tags) }

// UserEvent returns a user event as a message to Send.
func UserEvent(name string, payload []byte, ltime uint64) []byte {
	return User(encode(3, struct {
		LTime   uint64
		Name    string
		Payload []byte
		CC      bool
	}{ltime, name, payload, false}))
}

// intent returns Serf's message that a node joins (1) or leaves (0).
func intent(kind byte, node string, ltime uint64) []byte {
	return User(encode(kind, struct {
		LTime uint64
		Node  string
	}{ltime, node}))
}

// User wraps a message of Serf's into one of memberlist's.
func User(serf []byte) []byte { return append([]byte{msgUser}, serf...) }

// Compound puts up to 255 messages into one.
func Compound(msgs ...[]byte) []byte {
	out := []byte{msgCompound, byte(len(msgs))}
	for _, m := range msgs {
		out = binary.BigEndian.AppendUint16(out, uint16(len(m)))
	}
	for _, m := range msgs {
		out = append(out, m...)
	}
	return out
}

// Compressed returns a message that was compressed by LZW, as memberlist does.
func Compressed(buf []byte) []byte {
	return encode(msgCompress, struct {
		Algo uint8
		Buf  []byte
	}{Buf: buf})
}

// Send sends each message to a node as a UDP packet of its own.
func Send(to string, msgs ...[]byte) error {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, m := range msgs {
		if _, err := conn.Write(m); err != nil {
			return err
		}
	}
	return nil
}

// A PastEvent is a user event that a State carries.
type PastEvent struct {
	Name    string
	Payload []byte
	LTime   uint64
}

// A State is what two nodes exchange over TCP: the list of nodes, and what
// Serf adds to it.
type State struct {
	Nodes  []Alive
	Status map[string]uint64 // Lamport time of each node's last join or leave
	Left   []string
	Events []PastEvent
	Join   bool
}

type pushPullHeader struct {
	Nodes, UserStateLen int
	Join                bool
}

type nodeState struct {
	Name        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Incarnation uint32
	State       int // 0 alive, 1 suspect, 2 dead, 3 left
	Vsn         []uint8
}

// encodeState returns s as it goes over the wire.
func encodeState(s State) []byte {
	type at struct {
		LTime  uint64
		Events []PastEvent
	}
	events := make([]*at, len(s.Events))
	for i, e := range s.Events {
		events[i] = &at{e.LTime, []PastEvent{e}}
	}
	clock := uint64(len(s.Events) + 2)
	user := encode(2, struct {
		LTime        uint64
		StatusLTimes map[string]uint64
		LeftMembers  []string
		EventLTime   uint64
		Events       []*at
		QueryLTime   uint64
	}{clock, s.Status, s.Left, clock, events, clock})

	var buf bytes.Buffer
	buf.WriteByte(msgPushPull)
	enc := codec.NewEncoder(&buf, &codec.MsgpackHandle{})
	must(enc.Encode(pushPullHeader{Nodes: len(s.Nodes), UserStateLen: len(user), Join: s.Join}))
	for _, n := range s.Nodes {
		if n.Vsn == nil {
			n.Vsn = versions
		}
		must(enc.Encode(nodeState{
			Name: n.Node, Addr: n.Addr, Port: n.Port, Meta: n.Meta, Incarnation: n.Incarnation, Vsn: n.Vsn,
		}))
	}
	buf.Write(user)
	return buf.Bytes()
}

// Exchange sends s to a node as a joining or synchronising peer does, and
// returns the nodes that it answers with.
func Exchange(to string, s State) ([]Alive, error) {
	conn, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(encodeState(s)); err != nil {
		return nil, err
	}
	kind, body, err := readStream(conn)
	if err != nil {
		return nil, err
	}
	if kind != msgPushPull {
		return nil, fmt.Errorf("the answer is of type %d", kind)
	}
	return readNodes(body)
}

// readStream reads the type of what comes over TCP, unpacked if need be.
func readStream(r io.Reader) (kind byte, body io.Reader, err error) {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, nil, err
	}
	if b[0] != msgCompress {
		return b[0], r, nil
	}
	plain, err := decompress(r)
	if err != nil || len(plain) == 0 {
		return 0, nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return plain[0], bytes.NewReader(plain[1:]), nil
}

// readNodes reads the living nodes of a state.
func readNodes(r io.Reader) ([]Alive, error) {
	dec := codec.NewDecoder(r, &codec.MsgpackHandle{})
	var h pushPullHeader
	if err := dec.Decode(&h); err != nil {
		return nil, err
	}
	var out []Alive
	for range h.Nodes {
		var n nodeState
		if err := dec.Decode(&n); err != nil {
			return nil, err
		}
		if n.State == 0 {
			out = append(out, Alive{n.Incarnation, n.Name, n.Addr, n.Port, n.Meta, n.Vsn})
		}
	}
	_, err := io.CopyN(io.Discard, r, int64(h.UserStateLen))
	return out, err
}

// decompress reads memberlist's wrapping of compressed messages.
func decompress(r io.Reader) ([]byte, error) {
	var c struct {
		Algo uint8
		Buf  []byte
	}
	if err := codec.NewDecoder(r, &codec.MsgpackHandle{}).Decode(&c); err != nil {
		return nil, err
	}
	z := lzw.NewReader(bytes.NewReader(c.Buf), lzw.LSB, 8)
	defer z.Close()
	return io.ReadAll(z)
}

func encode(kind byte, v any) []byte {
	var buf bytes.Buffer
	buf.WriteByte(kind)
	must(codec.NewEncoder(&buf, &codec.MsgpackHandle{}).Encode(v))
	return buf.Bytes()
}

func decode(b []byte, v any) error {
	return codec.NewDecoder(bytes.NewReader(b), &codec.MsgpackHandle{}).Decode(v)
}

// must is for encoding into memory, which has no way to fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
