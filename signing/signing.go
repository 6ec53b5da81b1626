// Package signing proves who sent a user event. Gossip says nothing about
// that: whoever holds the cluster's key, or stands in its network where there
// is none, can send any event. So a rule that does something dangerous can
// demand that the event was signed by a key which this node trusts.
//
// The package seals a payload into an envelope, opens one, and reads the files
// that keys live in. It leaves to others which rule demands a signature
// (rules), to remember which envelopes were seen before, so that none works
// twice (actions), and how an event gets around (cluster).
//
// # The envelope
//
// An envelope is what gossip carries as the event's payload: 92 bytes, then the
// payload itself as it is. Numbers are big-endian.
//
//	offset  bytes  what
//	0       4      magic: FF 6D 73 01 (FF, "ms", version 1)
//	4       8      key id: the first 8 bytes of SHA-256 of the public key
//	12      8      time: milliseconds since 1970-01-01 UTC
//	20      8      nonce: random
//	28      64     signature
//	92      …      payload
//
// FF occurs in no UTF-8 text and 01 in no text at all, so that a payload that
// is text is never taken for an envelope.
//
// The signature is Ed25519 as RFC 8032 section 5.1 has it (no prehash, no
// context) with a 32-byte public key, over these bytes:
//
//	"muster signed event 1\x00"
//	length of the event's name, 2 bytes
//	the event's name
//	key id, time and nonce as in the envelope
//	payload
//
// The first line keeps a signature that the key made for something else from
// being taken for one of an event. The name is not in the envelope: gossip
// carries it, and an envelope moved to an event of another name is forged.
package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// NonceSize is the size of an envelope's nonce in bytes.
const NonceSize = 8

// Overhead is by how many bytes an envelope is longer than its payload.
const Overhead = atPayload

// MaxSkew is how far the signer's clock may be ahead of the verifier's.
const MaxSkew = time.Minute

const (
	magic  = "\xFFms\x01"
	domain = "muster signed event 1\x00"

	atKey       = 4
	atTime      = atKey + idSize
	atNonce     = atTime + 8
	atSignature = atNonce + NonceSize
	atPayload   = atSignature + ed25519.SignatureSize

	maxName = 1<<16 - 1 // what the length in the signed bytes can say
)

// Why an event is not taken for one of a trusted signer.
var (
	ErrUnsigned   = errors.New("not signed")
	ErrUnknownKey = errors.New("signed by a key that is not trusted here")
	ErrForged     = errors.New("the signature does not fit the event")
	ErrForbidden  = errors.New("the key may not sign this event")
	ErrStale      = errors.New("signed too long ago, or in the future")
)

// A Signed is an event whose signature was found good.
type Signed struct {
	Signer string    // the key's name, as the trusted keys have it
	Time   time.Time // when it was signed, by the signer's clock, to the millisecond
	// Nonce tells this envelope from every other. A verifier that takes an
	// envelope once remembers the nonce until Time + maxAge: after that Verify
	// refuses it anyway.
	Nonce   [NonceSize]byte
	Payload []byte // what was sealed; a part of the envelope, not a copy
}

// Sign seals payload as that of the user event called event. The envelope is
// Overhead bytes longer than payload. The error is that of a name which is
// empty or longer than any event's can be.
func (k Key) Sign(event string, payload []byte, now time.Time) ([]byte, error) {
	if len(k.private) != ed25519.PrivateKeySize {
		return nil, errors.New("cannot sign the event: no key")
	}
	if event == "" || len(event) > maxName {
		return nil, fmt.Errorf("cannot sign the event: its name has %d bytes, not 1 to %d", len(event), maxName)
	}
	e := make([]byte, atPayload, atPayload+len(payload))
	copy(e, magic)
	copy(e[atKey:], k.id[:])
	binary.BigEndian.PutUint64(e[atTime:], uint64(now.UnixMilli()))
	rand.Read(e[atNonce:atSignature]) // never fails: see crypto/rand
	e = append(e, payload...)
	copy(e[atSignature:], ed25519.Sign(k.private, message(event, e)))
	return e, nil
}

// Open returns what payload holds, without any verification: what is inside if
// it is an envelope, payload itself if it is none. It is for rules that demand
// no signature; signed says nothing about whose it is.
func Open(payload []byte) (inner []byte, signed bool) {
	if !isEnvelope(payload) {
		return payload, false
	}
	return payload[atPayload:], true
}

// Verify returns what a trusted key sealed as the payload of the user event
// called event. It fails with ErrUnsigned if payload is no envelope, with
// ErrUnknownKey, ErrForged or ErrForbidden, and with ErrStale if it was signed
// more than maxAge before now or more than MaxSkew after. A nil Trusted trusts
// nobody.
//
// The same envelope is good as often as it is asked for: who acts on it
// remembers its nonce.
func (t *Trusted) Verify(event string, payload []byte, now time.Time, maxAge time.Duration) (Signed, error) {
	if !isEnvelope(payload) {
		return Signed{}, ErrUnsigned
	}
	var id keyID
	copy(id[:], payload[atKey:])
	k, ok := t.key(id)
	if !ok {
		return Signed{}, fmt.Errorf("%w: %s", ErrUnknownKey, id)
	}
	if event == "" || len(event) > maxName || !ed25519.Verify(k.public, message(event, payload), payload[atSignature:atPayload]) {
		return Signed{}, fmt.Errorf("%w: it names the key of %s", ErrForged, k.name)
	}
	if !k.may(event) {
		return Signed{}, fmt.Errorf("%w: that of %s, for %s only", ErrForbidden, k.name, k.events)
	}
	s := Signed{
		Signer:  k.name,
		Time:    time.UnixMilli(int64(binary.BigEndian.Uint64(payload[atTime:]))),
		Nonce:   [NonceSize]byte(payload[atNonce:atSignature]),
		Payload: payload[atPayload:],
	}
	switch age := now.Sub(s.Time); {
	case age > maxAge:
		return Signed{}, fmt.Errorf("%w: by %s, %s ago, when %s is the most", ErrStale, k.name, age.Round(time.Second), maxAge)
	case age < -MaxSkew: // not -age > MaxSkew: the least Duration has no opposite
		return Signed{}, fmt.Errorf("%w: by %s, at %s, ahead of this node's clock", ErrStale, k.name, s.Time.UTC().Format(time.RFC3339))
	}
	return s, nil
}

func isEnvelope(payload []byte) bool {
	return len(payload) >= atPayload && bytes.HasPrefix(payload, []byte(magic))
}

// message returns the bytes that the signature of the envelope e, for the event
// of that name, is over. The name fits its length.
func message(event string, e []byte) []byte {
	m := make([]byte, 0, len(domain)+2+len(event)+len(e))
	m = append(m, domain...)
	m = binary.BigEndian.AppendUint16(m, uint16(len(event)))
	m = append(m, event...)
	m = append(m, e[atKey:atSignature]...)
	return append(m, e[atPayload:]...)
}
