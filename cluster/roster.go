package cluster

import (
	"cmp"
	"slices"

	"github.com/hashicorp/serf/serf"
)

// A Present member is one with what it can speak.
type Present struct {
	Member
	Versions
}

// Roster returns every known member as Serf has it at this very moment,
// sorted by name: never older than an event that was handed out before, which
// a View may be. It costs as much as there are members; do not call it for
// every event. While there is no Serf it is the View's members without
// versions.
func (n *Node) Roster() []Present {
	in, _, _ := n.life.look()
	if in == nil {
		v := n.View()
		out := make([]Present, 0, len(v.Members))
		for _, m := range v.Members {
			out = append(out, Present{Member: m})
		}
		return out
	}
	defer in.calls.Done()
	members := in.serf.Members()
	order := make([]*serf.Member, len(members)) // a member is long to move about
	for i := range members {
		order[i] = &members[i]
	}
	slices.SortFunc(order, func(a, b *serf.Member) int { return cmp.Compare(a.Name, b.Name) })
	out := make([]Present, len(members))
	for i, m := range order {
		out[i].Member = member(*m)
		out[i].Versions = Versions{m.ProtocolMin, m.ProtocolMax, m.ProtocolCur, m.DelegateMin, m.DelegateMax, m.DelegateCur}
	}
	return out
}
