package haproxy

import (
	"net/netip"
	"slices"
	"strconv"
)

// assign says which server of haproxy's each wanted one is: that of its name,
// and for members of slots a slot. A member that has a slot keeps it; the
// others take those that are free, then those that drain the longest.
func (p *plan) assign() {
	b := p.backend
	p.wanted = make(map[string]*server, len(b.servers)+len(b.members))
	for i := range b.servers {
		p.wanted[b.servers[i].name] = &b.servers[i]
	}
	if b.template == nil {
		return
	}
	slots, left := p.slots()
	var free, draining []*liveServer
	for _, l := range slots {
		switch {
		case l == nil: // it was taken
		case l.admin&forcedMaint != 0:
			free = append(free, l)
		default:
			draining = append(draining, l)
		}
	}
	slices.SortStableFunc(draining, func(x, y *liveServer) int {
		a, b := p.before[x.name], p.before[y.name]
		if a.since.IsZero() != b.since.IsZero() { // it has not even begun to
			if a.since.IsZero() {
				return 1
			}
			return -1
		}
		return a.since.Compare(b.since)
	})
	free = append(free, draining...)
	for i, m := range left {
		if i == len(free) {
			p.fail("backend %s has %d members and only %d slots, so %s and %d others get no requests: raise the var slots, which takes a reload",
				b.name, len(b.members), len(slots), m.name, len(left)-i-1)
			break
		}
		p.take(free[i].name, m)
	}
}

// slots returns haproxy's slots in the order of their numbers, with nil for
// those that a member has, and the members that have none.
func (p *plan) slots() (slots []*liveServer, left []*server) {
	t := p.backend.template
	byName := map[string]*liveServer{}
	for i := range p.live {
		if l := &p.live[i]; t.has(l.name) {
			byName[l.name] = l
		}
	}
	at := map[netip.AddrPort][]int{}
	for n := t.low; n <= t.high; n++ {
		if l := byName[t.prefix+strconv.Itoa(n)]; l != nil {
			at[l.addr] = append(at[l.addr], len(slots))
			slots = append(slots, l)
		}
	}
	// Several slots may have had the address: one in use comes first.
	for _, indexes := range at {
		slices.SortStableFunc(indexes, func(i, j int) int { return slots[i].admin&forcedMaint - slots[j].admin&forcedMaint })
	}
	for i := range p.backend.members {
		m := &p.backend.members[i]
		if indexes := at[m.addr]; len(indexes) > 0 {
			p.take(slots[indexes[0]].name, m)
			slots[indexes[0]], at[m.addr] = nil, indexes[1:]
		} else {
			left = append(left, m)
		}
	}
	return slots, left
}

// take gives a slot to a member.
func (p *plan) take(slot string, m *server) {
	p.wanted[slot] = &server{name: slot, addr: m.addr, weight: m.weight, line: m.line}
}
