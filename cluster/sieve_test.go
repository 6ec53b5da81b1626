package cluster

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// squeezed is a message as memberlist compresses it.
func squeezed(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := lzw.NewWriter(&buf, lzw.LSB, 8)
	_, err := w.Write(plain)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return encode(mlCompress, compressMessage{Buf: buf.Bytes()})
}

// together is a packet of several messages.
func together(messages ...[]byte) []byte {
	out := []byte{mlCompound, byte(len(messages))}
	for _, m := range messages {
		out = append(out, byte(len(m)>>8), byte(len(m)))
	}
	return append(out, bytes.Join(messages, nil)...)
}

// What nodes make goes through, and what they do not make is refused: with a
// key and without.
func TestSieve(t *testing.T) {
	ping := encode(mlPing, pingMessage{SeqNo: 7})
	both := together(ping, ping)
	secret := bytes.Repeat([]byte{1}, 16)
	keys, err := memberlist.NewKeyring(nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		packet []byte
		ok     bool
	}{
		{"a message", ping, true},
		{"several", both, true},
		{"compressed", squeezed(t, ping), true},
		{"several, compressed", squeezed(t, both), true},
		{"with a checksum", append([]byte{mlChecksum, 1, 2, 3, 4}, squeezed(t, both)...), true},
		{"as long as a packet can be", squeezed(t, make([]byte, 64<<10)), true},
		{"40 MB", squeezed(t, make([]byte, 39<<20)), false},
		{"40 MB with a checksum", append([]byte{mlChecksum, 1, 2, 3, 4}, squeezed(t, make([]byte, 39<<20))...), false},
		{"compressed twice", squeezed(t, squeezed(t, ping)), false},
		{"compressed among several", together(ping, squeezed(t, ping)), false},
		{"several among several", together(ping, both), false},
		{"compressed among several, compressed", squeezed(t, together(squeezed(t, ping), ping)), false},
		{"compressed in no known way", []byte{mlCompress, 0xc1}, false},
	} {
		if err := (&sieve{}).check(c.packet); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := (&sieve{keys: keys}).check(seal(secret, c.packet, nil)); (err == nil) != c.ok {
			t.Errorf("%s, encrypted: %v", c.name, err)
		}
	}
	// What nobody can decrypt memberlist refuses, and says so; not what is said
	// to be encrypted in the first way.
	if err := (&sieve{keys: keys}).check(ping[1:]); err != nil {
		t.Errorf("not encrypted: %v", err)
	}
	old := seal(secret, bytes.Repeat([]byte{200}, 32), nil)
	old[0] = 0
	if err := (&sieve{keys: keys}).check(old); err == nil {
		t.Error("padded with more than there is: it passes")
	}
}

// What a node has sent, sent again as if it were encrypted in the first way,
// does not end another: over TCP, where memberlist itself reads it.
func TestOldSeal(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 16)
	n, err := Join(Config{Name: "a", Bind: "127.0.0.1:0", EncryptKey: base64.StdEncoding.EncodeToString(secret)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	send := func(version byte, plain []byte) (answer []byte) {
		head := binary.BigEndian.AppendUint32([]byte{mlEncrypt}, uint32(sealedSize(len(plain))))
		sealed := seal(secret, plain, head)
		sealed[0] = version
		c, err := net.Dial("tcp", n.Info().Bind)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(append(head, sealed...)); err != nil {
			t.Fatal(err)
		}
		answer, _ = io.ReadAll(c)
		return answer
	}
	for deadline := time.Now().Add(30 * time.Second); strings.HasSuffix(n.Info().Bind, ":0"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
	send(0, append(encode(mlPing, pingMessage{SeqNo: 1}), 200))
	if len(send(1, encode(mlPing, pingMessage{SeqNo: 2}))) == 0 {
		t.Error("it does not answer any more")
	}
}

// Packets that nobody takes do not keep a transport from being shut down.
func TestSieveEnds(t *testing.T) {
	s := &sieve{packets: make(chan *memberlist.Packet)}
	ctx, cancel := context.WithCancel(t.Context())
	from, end, ended := make(chan *memberlist.Packet), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.run(ctx, from, end)
	}()
	packet := &memberlist.Packet{Buf: encode(mlPing, pingMessage{}), From: &net.UDPAddr{}}
	from <- packet
	cancel()
	for range 3 {
		from <- packet
	}
	close(end)
	<-ended
}
