package haproxy

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"muster/human"
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
	slots := p.slots()
	count := len(slots)
	at := map[netip.AddrPort][]*liveServer{} // the slots for members of an address
	need := map[netip.AddrPort]int{}
	for _, m := range b.members {
		need[m.addr]++
	}
	slots = slices.DeleteFunc(slots, func(l *liveServer) bool {
		keeps := len(at[l.addr]) < need[l.addr]
		if keeps {
			at[l.addr] = append(at[l.addr], l)
		}
		return keeps
	})
	slices.SortStableFunc(slots, p.compareFree)
	var without []string
	for _, m := range b.members {
		switch {
		case len(at[m.addr]) == need[m.addr]:
		case len(slots) == 0:
			need[m.addr]--
			without = append(without, m.name)
		default:
			at[m.addr] = append(at[m.addr], slots[0])
			slots = slots[1:]
		}
	}
	if len(without) > 0 {
		p.fail("backend %s has %d members and only %d slots, so %s get no requests: raise the var slots, which takes a reload",
			b.name, len(b.members), count, human.Few(without, maxErrors))
	}
	p.deal(at)
}

// deal gives each member its slot. Several members of one address have theirs
// in the order of the slots' numbers, so that the next push finds the same.
func (p *plan) deal(at map[netip.AddrPort][]*liveServer) {
	t := p.backend.template
	for _, slots := range at {
		slices.SortFunc(slots, func(x, y *liveServer) int { return t.number(x.name) - t.number(y.name) })
	}
	for i := range p.backend.members {
		m := &p.backend.members[i]
		if slots := at[m.addr]; len(slots) > 0 {
			p.wanted[slots[0].name] = &server{name: slots[0].name, addr: m.addr, weight: m.weight, line: m.line}
			at[m.addr] = slots[1:]
		}
	}
}

// slots returns haproxy's slots, those first that a member should rather keep:
// in use, draining, in maintenance; and by number.
func (p *plan) slots() []*liveServer {
	t := p.backend.template
	var slots []*liveServer
	for i := range p.live {
		if l := &p.live[i]; t.has(l.name) {
			slots = append(slots, l)
		}
	}
	rank := func(l *liveServer) int {
		switch {
		case l.admin&forcedMaint != 0:
			return 2
		case l.admin&forcedDrain != 0:
			return 1
		}
		return 0
	}
	slices.SortFunc(slots, func(x, y *liveServer) int {
		return cmp.Or(rank(x)-rank(y), t.number(x.name)-t.number(y.name))
	})
	return slots
}

// compareFree orders slots for those who have none: in maintenance, then those
// that drain the longest, then those that have not begun to.
func (p *plan) compareFree(x, y *liveServer) int {
	since := func(l *liveServer) int64 {
		d := p.before[l.name]
		switch {
		case l.admin&forcedMaint != 0:
			return 0
		case d.since.IsZero():
			return p.now.Unix() + 1
		}
		return d.since.Unix()
	}
	return cmp.Compare(since(x), since(y))
}

// number is that of a slot.
func (t *template) number(slot string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(slot, t.prefix))
	return n
}
