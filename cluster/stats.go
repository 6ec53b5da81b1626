package cluster

import "github.com/hashicorp/serf/coordinate"

// Stats returns figures about the node in the sections and under the keys of
// Serf's `info`.
func (n *Node) Stats() map[string]map[string]string { return nil }

// A Coordinate places a member in Serf's network tomography: the distance of
// two is an estimate of their round-trip time.
type Coordinate = coordinate.Coordinate

// Coordinate returns where a member is, if that is known.
func (n *Node) Coordinate(member string) (*Coordinate, bool) { return nil, false }

// Versions are the protocol versions that a member can speak and does:
// memberlist's, and Serf's (the delegate's).
type Versions struct {
	ProtocolMin, ProtocolMax, ProtocolCur uint8
	DelegateMin, DelegateMax, DelegateCur uint8
}

// Versions returns the versions of every member by name.
func (n *Node) Versions() map[string]Versions { return nil }
