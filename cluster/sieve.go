package cluster

import (
	"context"
	"errors"
	"net"

	"github.com/hashicorp/memberlist"
)

// errOldSeal is about memberlist's first way to encrypt. Its padding is taken
// as it comes, which ends the process where it is longer than the message; and
// the byte that says which way it is, is not sealed: whoever sees a packet can
// send it again with another.
var errOldSeal = errors.New("encrypted in a way that no node uses any more")

// A sieve lets those packets through to memberlist that are little work: it
// would inflate whatever it is sent, with messages inside messages, in the one
// goroutine that answers the others' probes.
type sieve struct {
	keys    *memberlist.Keyring // nil: none
	refuse  func(sender string, err error)
	packets chan *memberlist.Packet // to memberlist
	conns   chan net.Conn           // likewise
	unpacker
}

// run takes packets until end is closed; after the end of ctx nobody is there
// to have them.
func (s *sieve) run(ctx context.Context, from <-chan *memberlist.Packet, end <-chan struct{}) {
	for {
		select {
		case p := <-from:
			if err := s.check(p.Buf); err != nil {
				s.refuse(p.From.String(), err)
				continue
			}
			select {
			case s.packets <- p:
			case <-ctx.Done():
			}
		case <-end:
			return
		}
	}
}

// streams passes on who connects, until end is closed.
func (s *sieve) streams(ctx context.Context, from <-chan net.Conn, end <-chan struct{}) {
	for {
		select {
		case c := <-from:
			select {
			case s.conns <- &stream{Conn: c}:
			case <-ctx.Done():
				c.Close()
			}
		case <-end:
			return
		}
	}
}

// A stream is read until it turns out to be encrypted in the first way.
type stream struct {
	net.Conn
	at     int // bytes of its beginning read: a type, a length of four, and the way
	sealed bool
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	for i := 0; i < n && s.at < 6; i++ {
		switch {
		case s.at == 0:
			s.sealed = b[i] == mlEncrypt
		case s.at == 5 && s.sealed && b[i] == 0:
			return 0, errOldSeal
		}
		s.at++
	}
	return n, err
}

// check reports why a packet is refused. One that cannot be decrypted is
// memberlist's to refuse.
func (s *sieve) check(packet []byte) error {
	if s.keys != nil {
		plain, ok := s.unseal(s.keys.GetKeys(), packet, nil)
		switch {
		case packet[0] == 0:
			return errOldSeal
		case !ok:
			return nil
		}
		packet = plain
	}
	_, err := s.unpack(packet)
	return err
}
