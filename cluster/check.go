package cluster

import (
	"fmt"

	"github.com/hashicorp/memberlist"
)

// Check reports why m cannot be a member, with one of the Refused reasons: a
// list that somebody else kept, who was less careful, may hold such ones.
// loopback says that the node itself is on loopback, where alone others may
// be, too.
func (m Member) Check(loopback bool) (reason string, err error) {
	if err := checkName(m.Name); err != nil {
		return RefusedName, err
	}
	if err := checkAddress(m.Addr.AsSlice(), m.Port, loopback); err != nil {
		return RefusedAddress, err
	}
	if n := TagSize(m.Tags); n > memberlist.MetaMaxSize {
		return RefusedTags, fmt.Errorf("its tags take %d bytes, more than %d", n, memberlist.MetaMaxSize)
	}
	if !m.Status.Valid() {
		return RefusedMessage, fmt.Errorf("its status is %q", m.Status)
	}
	return "", nil
}
