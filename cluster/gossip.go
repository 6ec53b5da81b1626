package cluster

import (
	"bytes"
	"compress/lzw"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// Memberlist's messages, as far as a probe needs them: a type, and behind it
// msgpack with these names (net.go of hashicorp/memberlist).
const (
	mlPing     = 0
	mlAck      = 2
	mlPushPull = 6
	mlCompound = 7
	mlCompress = 9
	mlEncrypt  = 10
	mlChecksum = 12
	mlError    = 13
	mlLabel    = 244
)

type (
	pingMessage struct {
		SeqNo uint32
		Node  string // empty: whoever hears it
	}
	ackMessage      struct{ SeqNo uint32 }
	errorMessage    struct{ Error string }
	compressMessage struct {
		Algo uint8 // 0: LZW
		Buf  []byte
	}
	pushPullMessage struct {
		Nodes, UserStateLen int
		Join                bool
	}
	stateMessage struct {
		Name        string
		Addr        []byte
		Port        uint16
		Meta        []byte
		Incarnation uint32
		State       uint8
		Vsn         []uint8
	}
)

const (
	// maxStream bounds an answer over TCP, in bytes: memberlist's own bound of
	// a state, and of what it comes to when it is not compressed any more.
	maxStream, maxInflated = 20 << 20, 40 << 20
	// maxUnpacked bounds what a packet comes to, in bytes: twice what one can
	// carry. memberlist would inflate 31 kB to 40 MB.
	maxUnpacked = 128 << 10
	// sealOverhead is what encryption adds: a version, a nonce and a tag.
	sealOverhead = 1 + 12 + 16
)

func sealedSize(n int) int { return n + sealOverhead }

// seal encrypts a message as memberlist does in its version 1 (security.go):
// the version, a nonce of 12 bytes, and AES-GCM with its tag, which also holds
// for extra.
func seal(key, message, extra []byte) []byte {
	out := make([]byte, 13, sealedSize(len(message)))
	out[0] = 1
	_, _ = rand.Read(out[1:]) // it never fails
	return aead(key).Seal(out, out[1:13], message, extra)
}

// An unpacker takes messages apart, one after the other; what it returns is good
// until the next. What is dear to set up it keeps: a packet of 1,400 bytes then
// takes a fifth of the time (BenchmarkSieve). The zero value is ready.
type unpacker struct {
	ciphers    map[string]cipher.AEAD // by key
	opened     []byte
	msgpack    *codec.Decoder
	compressed compressMessage
	source     bytes.Reader
	lzw        lzw.Reader
	inflated   bytes.Buffer
}

// cipher is aead, remembered for as long as there are not more of them than keys.
func (u *unpacker) cipher(key []byte, keys int) cipher.AEAD {
	c, ok := u.ciphers[string(key)]
	if !ok {
		if u.ciphers == nil || len(u.ciphers) >= keys {
			u.ciphers = make(map[string]cipher.AEAD, keys)
		}
		c = aead(key)
		u.ciphers[string(key)] = c
	}
	return c
}

// unseal decrypts a message with the first key that fits.
func (u *unpacker) unseal(keys [][]byte, sealed, extra []byte) ([]byte, bool) {
	if len(sealed) < sealOverhead || sealed[0] > 1 {
		return nil, false
	}
	u.opened = slices.Grow(u.opened[:0], len(sealed))
	for _, key := range keys {
		plain, err := u.cipher(key, len(keys)).Open(u.opened, sealed[1:13], sealed[13:], extra)
		if err != nil || len(plain) == 0 {
			continue
		}
		if sealed[0] == 0 { // version 0 pads (PKCS #7)
			pad := int(plain[len(plain)-1])
			if pad >= len(plain) {
				return nil, false
			}
			plain = plain[:len(plain)-pad]
		}
		return plain, true
	}
	return nil, false
}

// aead is AES-GCM with a key that was checked when it was read.
func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// decompress returns a message, not empty, as it was before it was compressed,
// if it had at most most bytes then.
func (u *unpacker) decompress(message []byte, most int64) ([]byte, error) {
	if len(message) == 0 {
		return nil, fmt.Errorf("%w: an empty message", errForeign)
	}
	if message[0] != mlCompress {
		return message, nil
	}
	if u.msgpack == nil {
		u.msgpack = codec.NewDecoderBytes(nil, &codec.MsgpackHandle{})
	}
	u.msgpack.ResetBytes(message[1:])
	u.compressed = compressMessage{Buf: u.compressed.Buf[:0]}
	if u.msgpack.Decode(&u.compressed) != nil || u.compressed.Algo != 0 {
		return nil, fmt.Errorf("%w: compressed in a way that is not known", errForeign)
	}
	u.source.Reset(u.compressed.Buf)
	u.lzw.Reset(&u.source, lzw.LSB, 8)
	u.inflated.Reset()
	n, err := u.inflated.ReadFrom(io.LimitReader(&u.lzw, most+1))
	if n > most {
		return nil, fmt.Errorf("%w: it inflates to more than %d bytes", errForeign, most)
	}
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%w: compressed, and not to be read", errForeign)
	}
	return u.inflated.Bytes(), nil
}

// unpack returns the messages in a packet that is not encrypted. A node makes
// one of several, then compresses it, then adds a checksum, so that none of
// them can hold others.
func (u *unpacker) unpack(packet []byte) ([][]byte, error) {
	if len(packet) > 5 && packet[0] == mlChecksum {
		packet = packet[5:]
	}
	plain, err := u.decompress(packet, maxUnpacked)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{plain}
	if plain[0] == mlCompound {
		parts = compounded(plain[1:])
	}
	for _, part := range parts {
		if len(part) > 0 && (part[0] == mlCompress || part[0] == mlCompound) {
			return nil, fmt.Errorf("%w: messages inside one another", errForeign)
		}
	}
	return parts, nil
}

// compounded takes apart a packet of several messages: how many there are, in
// one byte, how long each is, in two, and the messages.
func compounded(packet []byte) [][]byte {
	if len(packet) == 0 {
		return nil
	}
	sizes := packet[1:]
	n := int(packet[0])
	if len(sizes) < 2*n {
		return nil
	}
	rest, parts := sizes[2*n:], make([][]byte, 0, n)
	for i := range n {
		size := int(binary.BigEndian.Uint16(sizes[2*i:]))
		if size > len(rest) {
			break
		}
		parts, rest = append(parts, rest[:size]), rest[size:]
	}
	return parts
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
