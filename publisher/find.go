package publisher

import (
	"cmp"
	"slices"
	"strings"

	"muster/cluster"
	"muster/services"
)

// A Found is a service of a live member.
type Found struct {
	services.Service
	Node string `json:"node_id"`
}

// An Unread is a member whose tag cannot be read, and why.
type Unread struct {
	Node string
	Err  error
}

// Find returns the services of live members, of a type and a host, either of
// which may be empty, by member, type and port. One without an address has its
// member's. All of it is what the members say.
func Find(members []cluster.Member, typ, host string) (found []Found, unread []Unread) {
	found = []Found{}
	for _, m := range members {
		if m.Status != cluster.Alive {
			continue
		}
		list, err := services.Decode(m.Tags[services.Tag])
		if err != nil {
			unread = append(unread, Unread{m.Name, err})
		}
		for _, s := range list {
			s.IP = cmp.Or(s.IP, AddrOf(m.Addr))
			if f := (Found{s, m.Name}); f.is(typ, host) {
				found = append(found, f)
			}
		}
	}
	slices.SortFunc(found, func(a, b Found) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), services.Compare(a.Service, b.Service))
	})
	return found, unread
}

// is reports whether f is of a type and a host, either of which may be empty.
// The host is the service's, with or without its domain, or its member's name.
func (f Found) is(typ, host string) bool {
	short, _, _ := strings.Cut(f.Host, ".")
	return (typ == "" || f.Type == typ) && (host == "" || host == f.Node || host == f.Host || host == short)
}
