package cluster

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
)

// Leaders returns the n live members that are to do what key names, the
// foremost first; fewer if there are not as many. Only those that eligible
// allows count; nil allows all.
//
// Every node with the same view comes to the same result without asking
// anybody, a member that comes or goes changes the result only where it is
// concerned itself, and different keys fall to different members. Nodes whose
// views differ, as for some seconds after a change and on the two sides of a
// partition, may choose differently: gossip is no consensus.
//
// It is rendezvous hashing (Thaler and Ravishankar, "A Name-Based Mapping
// Scheme for Rendezvous", 1996) with SHA-256 of name, 0 and key as weight.
func (v View) Leaders(key string, n int, eligible func(Member) bool) []Member {
	type candidate struct {
		weight [sha256.Size]byte
		index  int // into v.Members
	}
	var all []candidate
	for i, m := range v.Members {
		if m.Status == Alive && (eligible == nil || eligible(m)) {
			all = append(all, candidate{sha256.Sum256([]byte(m.Name + "\x00" + key)), i})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(bytes.Compare(b.weight[:], a.weight[:]), cmp.Compare(a.index, b.index))
	})
	leaders := make([]Member, 0, max(0, min(n, len(all))))
	for _, c := range all[:cap(leaders)] {
		leaders = append(leaders, v.Members[c.index])
	}
	return leaders
}
