package cluster

import (
	"bytes"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// The messages of Serf's that this package builds or measures itself; the
// field names are those on the wire (messages.go of serf/serf).
type (
	userEventMessage struct {
		LTime   uint64
		Name    string
		Payload []byte
		CC      bool
	}
	queryMessage struct {
		LTime       uint64
		ID          uint32
		Addr        []byte
		Port        uint16
		SourceNode  string
		Filters     [][]byte
		Flags       uint32
		RelayFactor uint8
		Timeout     time.Duration
		Name        string
		Payload     []byte
	}
	queryAnswer struct {
		LTime   uint64
		ID      uint32
		From    string
		Flags   uint32
		Payload []byte
	}
	tagFilter struct{ Tag, Expr string }
)

// decode decodes one of Serf's msgpack messages.
func decode(buf []byte, out any) error {
	return codec.NewDecoder(bytes.NewReader(buf), &codec.MsgpackHandle{}).Decode(out)
}

// encode returns a message of Serf's, or a filter of a query's: its type and
// its msgpack.
func encode(kind byte, message any) []byte {
	var buf bytes.Buffer
	buf.WriteByte(kind)
	// Encoding into memory has no way to fail.
	_ = codec.NewEncoder(&buf, &codec.MsgpackHandle{}).Encode(message)
	return buf.Bytes()
}

// packetRoom returns how many bytes of Serf's a gossip packet can carry. What
// is longer would wait for a packet for ever.
func packetRoom(m *memberlist.Config) int {
	// A packet of several messages has two bytes in front, and each message
	// its length in two and memberlist's type in one (memberlist's net.go).
	room := m.UDPBufferSize - 2 - 2 - 1
	if m.Keyring != nil {
		room -= 1 + 12 + 16 // version, nonce and tag (memberlist's security.go)
	}
	return room
}
