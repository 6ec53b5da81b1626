package cluster

import (
	"bytes"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/serf/serf"
)

// A mirror remembers the members as last seen, so that looking again costs
// little where nothing changed: no allocation, no comparison of tags.
type mirror struct {
	seen   map[string]seen
	sorted []Member // never changed once handed out
}

// A seen holds what a serf.Member said. Serf gives a member a new map of tags
// whenever it hears of it; holding on to the map keeps its address its own.
type seen struct {
	addr   net.IP
	tags   map[string]string
	port   uint16
	status serf.MemberStatus
}

func newMirror() *mirror { return &mirror{seen: map[string]seen{}} }

// update takes in what Serf says now and reports whether anything changed.
// m.sorted is a new slice then; members that did not change share their tags
// with the old one.
func (m *mirror) update(now []serf.Member) bool {
	var changed []Member
	for i := range now {
		s := &now[i]
		old, ok := m.seen[s.Name]
		if ok && old.same(s) {
			continue
		}
		m.seen[s.Name] = seen{addr: s.Addr, tags: s.Tags, port: s.Port, status: s.Status}
		next := member(*s)
		if ok {
			if prev, _ := (View{Members: m.sorted}).Member(s.Name); maps.Equal(prev.Tags, next.Tags) {
				next.Tags = prev.Tags
				if next.Equal(prev) {
					continue
				}
			}
		}
		changed = append(changed, next)
	}
	gone := m.gone(now)
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
		reflect.ValueOf(o.tags).Pointer() == reflect.ValueOf(s.Tags).Pointer() && bytes.Equal(o.addr, s.Addr)
}

// shared reports whether c's tags are those of its predecessor already.
func (m *mirror) shared(c Member) bool {
	prev, ok := (View{Members: m.sorted}).Member(c.Name)
	return ok && reflect.ValueOf(prev.Tags).Pointer() == reflect.ValueOf(c.Tags).Pointer()
}

// gone forgets the members that are not in now any more and returns their
// names. All of now have been seen, so counting tells whether there are any.
func (m *mirror) gone(now []serf.Member) map[string]bool {
	if len(m.seen) == len(now) {
		return nil
	}
	here := make(map[string]struct{}, len(now))
	for i := range now {
		here[now[i].Name] = struct{}{}
	}
	gone := map[string]bool{}
	for name := range m.seen {
		if _, ok := here[name]; !ok {
			gone[name] = true
			delete(m.seen, name)
		}
	}
	return gone
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
