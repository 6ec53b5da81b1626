package cluster

import (
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/serf/serf"
)

// A mirror remembers the members as last seen, so that looking again costs
// little where nothing changed: no allocation, no comparison of tags, and
// hardly a lookup, for Serf lists its members in much the same order each
// time.
type mirror struct {
	seen   []seen
	index  map[string]int // into seen
	sorted []Member       // never changed once handed out
}

// A seen holds what a serf.Member said. Serf gives a member a new map of tags
// whenever it hears of it; holding on to the map keeps its address its own.
type seen struct {
	name   string
	addr   net.IP
	tags   map[string]string
	port   uint16
	status serf.MemberStatus
}

func newMirror() *mirror { return &mirror{index: map[string]int{}} }

// update takes in what Serf says now and reports whether anything changed.
// m.sorted is a new slice then; members that did not change share their tags
// with the old one.
func (m *mirror) update(now []serf.Member) bool {
	var changed []Member
	next, misses := 0, 0
	for i := range now {
		s := &now[i]
		at, known := next, next < len(m.seen) && m.seen[next].name == s.Name
		if !known {
			misses++
			at, known = m.index[s.Name]
		}
		switch {
		case !known:
			at = len(m.seen)
			m.index[s.Name] = at
			m.seen = append(m.seen, see(s))
			next = at + 1
			changed = append(changed, member(*s))
			continue
		case m.seen[at].same(s):
			next = at + 1
			continue
		}
		next = at + 1
		m.seen[at] = see(s)
		if c, differs := m.compare(*s); differs {
			changed = append(changed, c)
		}
	}
	gone := m.gone(now)
	if len(gone) > 0 || misses > len(now)/4 {
		m.reorder(now)
	}
	if len(changed)+len(gone) == 0 {
		return false
	}
	for i := range changed {
		if c := &changed[i]; !m.shared(*c) {
			c.Tags = maps.Clone(c.Tags)
		}
	}
	SortMembers(changed)
	m.sorted = merge(m.sorted, changed, gone)
	return true
}

// same reports whether s is what was seen.
func (o seen) same(s *serf.Member) bool {
	return o.status == s.Status && o.port == s.Port &&
		reflect.ValueOf(o.tags).Pointer() == reflect.ValueOf(s.Tags).Pointer() && o.addr.Equal(s.Addr)
}

// shared reports whether c's tags are those of its predecessor already.
func (m *mirror) shared(c Member) bool {
	prev, ok := (View{Members: m.sorted}).Member(c.Name)
	return ok && reflect.ValueOf(prev.Tags).Pointer() == reflect.ValueOf(c.Tags).Pointer()
}

// see returns what s says.
func see(s *serf.Member) seen {
	return seen{name: s.Name, addr: s.Addr, tags: s.Tags, port: s.Port, status: s.Status}
}

// compare returns s as a member, sharing the tags of the one it replaces if
// they are equal, and whether the two differ.
func (m *mirror) compare(s serf.Member) (Member, bool) {
	next := member(s)
	prev, ok := View{Members: m.sorted}.Member(s.Name)
	if ok && maps.Equal(prev.Tags, next.Tags) {
		next.Tags = prev.Tags
	}
	return next, !ok || !next.Equal(prev)
}

// gone returns the names that are not in now any more. All of now have been
// seen, so counting tells whether there are any.
func (m *mirror) gone(now []serf.Member) map[string]bool {
	if len(m.seen) == len(now) {
		return nil
	}
	gone := make(map[string]bool, len(m.seen))
	for i := range m.seen {
		gone[m.seen[i].name] = true
	}
	for i := range now {
		delete(gone, now[i].Name)
	}
	return gone
}

// reorder makes the order of now the one to expect, and forgets all else.
func (m *mirror) reorder(now []serf.Member) {
	m.seen = slices.Grow(m.seen[:0], len(now))
	clear(m.index)
	for i := range now {
		m.seen = append(m.seen, see(&now[i]))
		m.index[now[i].Name] = i
	}
}

// merge returns old with the members of changed, which is sorted, replaced or
// added, and those gone left out.
func merge(old, changed []Member, gone map[string]bool) []Member {
	out := make([]Member, 0, len(old)+len(changed))
	for _, c := range changed {
		i, found := slices.BinarySearchFunc(old, c.Name, byName)
		out = append(append(out, old[:i]...), c)
		old = old[i:]
		if found {
			old = old[1:]
		}
	}
	out = append(out, old...)
	if len(gone) > 0 {
		out = slices.DeleteFunc(out, func(m Member) bool { return gone[m.Name] })
	}
	return out
}

func byName(m Member, name string) int { return strings.Compare(m.Name, name) }
