package cluster

import (
	"context"
	"errors"

	"github.com/hashicorp/memberlist"
)

// A sieve lets those packets through to memberlist that are little work: it
// would inflate whatever it is sent, with messages inside messages, in the one
// goroutine that answers the others' probes.
type sieve struct {
	keys    *memberlist.Keyring // nil: none
	refuse  func(sender string, err error)
	packets chan *memberlist.Packet // to memberlist
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

// check reports why a packet is refused. One that cannot be decrypted is
// memberlist's to refuse.
func (s *sieve) check(packet []byte) error {
	if s.keys != nil {
		plain, ok := unsealAny(s.keys.GetKeys(), packet, nil)
		switch {
		case !ok && packet[0] == 0:
			return errors.New("encrypted in a way that no node uses any more")
		case !ok:
			return nil
		}
		packet = plain
	}
	_, err := unpacked(packet)
	return err
}
