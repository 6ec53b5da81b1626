package cluster

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// squeezed is a message as memberlist compresses it.
func squeezed(t testing.TB, plain []byte) []byte {
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
	plain, sealed := &sieve{}, &sieve{keys: keys} // which remember nothing of one packet for the next
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
		{"compressed, without what", encode(mlCompress, struct{ Algo uint8 }{}), false},
		{"compressed, after all that", squeezed(t, both), true},
	} {
		if err := plain.check(c.packet); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := sealed.check(seal(secret, c.packet, nil)); (err == nil) != c.ok {
			t.Errorf("%s, encrypted: %v", c.name, err)
		}
	}
	// What nobody can decrypt memberlist refuses, and says so; not what is said
	// to be encrypted in the first way.
	if err := sealed.check(ping[1:]); err != nil {
		t.Errorf("not encrypted: %v", err)
	}
	other := bytes.Repeat([]byte{2}, 32)
	if err := keys.AddKey(other); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{other, secret} {
		if err := sealed.check(seal(key, together(ping, both), nil)); err == nil {
			t.Error("a key that came later is not used")
		}
	}
	if err := keys.UseKey(other); err != nil {
		t.Fatal(err)
	}
	if err := keys.RemoveKey(secret); err != nil {
		t.Fatal(err)
	}
	if err := sealed.check(seal(secret, together(ping, both), nil)); err != nil {
		t.Error("a key that is gone is used")
	}
	old := seal(secret, bytes.Repeat([]byte{200}, 32), nil)
	old[0] = 0
	if err := sealed.check(old); err == nil {
		t.Error("padded with more than there is: it passes")
	}
}

// A packet costs the sieve little besides inflating it.
func TestSieveKeepsItsTools(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 16)
	keys, err := memberlist.NewKeyring(nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	ping := encode(mlPing, pingMessage{SeqNo: 7})
	s, packet := &sieve{keys: keys}, seal(secret, squeezed(t, together(ping, ping)), nil)
	least := math.Inf(1)
	for range 20 { // what else runs in this process counts, too
		least = min(least, testing.AllocsPerRun(100, func() { _ = s.check(packet) }))
	}
	if least > 6 {
		t.Errorf("%v allocations for one packet", least)
	}
}

// A listener hears what memberlist delivers.
type listener struct{ heard chan []byte }

func (l listener) NotifyMsg(message []byte)                 { l.heard <- slices.Clone(message) }
func (listener) NodeMeta(int) []byte                        { return nil }
func (listener) GetBroadcasts(overhead, limit int) [][]byte { return nil }
func (listener) LocalState(bool) []byte                     { return nil }
func (listener) MergeRemoteState([]byte, bool)              {}

// Whatever memberlist sends with any of its settings goes through: each of its
// protocols that Serf speaks, packets up to the largest, compressed or not,
// encrypted or not, with what is passed on beside it.
func TestSieveTakesWhatMemberlistSends(t *testing.T) {
	for protocol := uint8(memberlist.ProtocolVersion2Compatible); protocol <= memberlist.ProtocolVersionMax; protocol++ {
		for _, squeeze := range []bool{true, false} {
			for _, key := range [][]byte{nil, bytes.Repeat([]byte{1}, 32)} {
				t.Run(fmt.Sprintf("protocol %d, compression %t, key %t", protocol, squeeze, key != nil), func(t *testing.T) {
					takesWhatMemberlistSends(t, protocol, squeeze, key)
				})
			}
		}
	}
}

func takesWhatMemberlistSends(t *testing.T, protocol uint8, squeeze bool, key []byte) {
	create := func(name string, with func(*memberlist.Config)) *memberlist.Memberlist {
		c := memberlist.DefaultLocalConfig()
		c.Name, c.BindAddr, c.BindPort, c.LogOutput = name, "127.0.0.1", 0, io.Discard
		c.ProtocolVersion, c.EnableCompression, c.UDPBufferSize = protocol, squeeze, 60_000
		c.TCPTimeout = time.Minute // a busy machine takes its time
		if key != nil {
			var err error
			if c.Keyring, err = memberlist.NewKeyring(nil, key); err != nil {
				t.Fatal(err)
			}
		}
		with(c)
		m, err := memberlist.Create(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Shutdown(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	l := listener{make(chan []byte, 100)}
	to := create("to", func(c *memberlist.Config) {
		here := netip.MustParseAddrPort("127.0.0.1:0")
		way, err := listen(endpoint{bind: here, advertise: here}, &sieve{
			keys: c.Keyring, packets: make(chan *memberlist.Packet), conns: make(chan net.Conn),
			refuse: func(_ string, err error) { t.Error(err) },
		}, log.New(io.Discard, "", 0))
		if err != nil {
			t.Fatal(err)
		}
		way.prepare, way.unsent = func() {}, func(string) {}
		c.Transport, c.Delegate = way, l
	})
	from := create("from", func(*memberlist.Config) {})
	if _, err := from.Join([]string{to.LocalNode().Address()}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1_399, 9 << 10, 59_000} {
		message := bytes.Repeat([]byte("a word of it, "), size/14+1)[:size]
		var got []byte
		for begin := time.Now(); !bytes.Equal(got, message); {
			if time.Since(begin) > time.Minute {
				t.Fatalf("%d bytes do not come", size)
			}
			if err := from.SendBestEffort(to.LocalNode(), message); err != nil {
				t.Fatal(err)
			}
			select {
			case got = <-l.heard:
			case <-time.After(5 * time.Second): // a packet may be lost
			}
		}
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

// BenchmarkSieve takes a full packet of 1,400 bytes through the sieve. memberlist
// itself takes what decode and decompress cost when nothing is kept: 50 µs where
// it is compressed.
func BenchmarkSieve(b *testing.B) {
	secret := bytes.Repeat([]byte{1}, 32)
	keys, err := memberlist.NewKeyring(nil, secret)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 101)
	for i := range message {
		message[i] = byte(i * i)
	}
	message[0] = 8 // Serf's
	full := together(slices.Repeat([][]byte{message}, 13)...)
	for _, c := range []struct {
		name   string
		packet []byte
	}{{"several", full}, {"compressed", squeezed(b, full)}} {
		for way, s := range map[string]*sieve{"plain": {}, "key": {keys: keys}} {
			packet := c.packet
			if s.keys != nil {
				packet = seal(secret, packet, nil)
			}
			b.Run(c.name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := s.check(packet); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
