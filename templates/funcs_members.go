package templates

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"muster/cluster"
)

// memberFunctions are the functions on members and lists of them.
func (t *Template) memberFunctions() template.FuncMap {
	return template.FuncMap{
		"members": func(filters ...any) ([]cluster.Member, error) {
			words := make([]string, len(filters))
			for i, f := range filters {
				words[i] = t.str(f)
			}
			return t.run.selected(strings.Join(words, " "))
		},
		"services": func(typ any) ([]Service, error) { return t.run.services(t.str(typ)) },
		"tag": func(member, key any) (string, error) {
			m, ok := member.(*cluster.Member)
			if !ok {
				m, ok = asMember(reflect.ValueOf(member))
			}
			if !ok {
				return "", fmt.Errorf("it takes a member, not a %s", kindOf(member))
			}
			return m.Tags[t.str(key)], nil
		},
		"groupBy": func(members any, key string) (map[string][]cluster.Member, error) {
			ms, err := t.memberList(members)
			groups := map[string][]cluster.Member{}
			for _, m := range ms {
				if v := m.Tags[key]; v != "" {
					groups[v] = append(groups[v], m)
				}
			}
			return groups, err
		},
		"groupByItem": func(members any, key string) (map[string][]cluster.Member, error) {
			ms, err := t.memberList(members)
			groups := map[string][]cluster.Member{}
			for _, m := range ms {
				for item := range strings.SplitSeq(m.Tags[key], ",") {
					item = strings.TrimSpace(item)
					if g := groups[item]; item != "" && (len(g) == 0 || g[len(g)-1].Name != m.Name) {
						groups[item] = append(g, m)
						t.spend(1)
					}
				}
			}
			return groups, err
		},
		"shuffleFor": func(self any, members any) ([]cluster.Member, error) {
			ms, err := t.memberList(members)
			return shuffle(t.str(self), ms), err
		},
	}
}

// memberList returns a list of members as such.
func (t *Template) memberList(list any) ([]cluster.Member, error) {
	if ms, ok := list.([]cluster.Member); ok {
		t.spend(1 + len(ms)/16)
		return ms, nil
	}
	v := reflect.ValueOf(list)
	if k := v.Kind(); k != reflect.Slice && k != reflect.Invalid {
		return nil, fmt.Errorf("it takes a list of members, not a %s", kindOf(list))
	}
	var ms []cluster.Member
	for i := range lenOf(v) {
		m, ok := asMember(v.Index(i))
		if !ok {
			return nil, fmt.Errorf("it takes a list of members, not of %ss", kindOf(v.Index(i).Interface()))
		}
		ms = append(ms, *m)
	}
	t.spend(1 + len(ms)/16)
	return ms, nil
}

func lenOf(v reflect.Value) int {
	if !v.IsValid() {
		return 0
	}
	return v.Len()
}

// asMember returns the member that v is or points to.
func asMember(v reflect.Value) (*cluster.Member, bool) {
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || !v.CanInterface() {
		return nil, false
	}
	if v.CanAddr() && v.Kind() == reflect.Struct {
		v = v.Addr()
	}
	switch m := v.Interface().(type) {
	case *cluster.Member:
		return m, m != nil
	case cluster.Member:
		return &m, true
	}
	return nil, false
}

// shuffle orders ms in a way of self's own, so that nodes spread over them:
// by rendezvous hash (Thaler and Ravishankar 1998), so that a member that
// comes or goes moves no other.
func shuffle(self string, ms []cluster.Member) []cluster.Member {
	type weighed struct {
		weight uint64
		member cluster.Member
	}
	list := make([]weighed, len(ms))
	for i, m := range ms {
		h := fnv.New64a()
		h.Write([]byte(self))
		h.Write([]byte{0})
		h.Write([]byte(m.Name))
		list[i] = weighed{mix(h.Sum64()), m}
	}
	slices.SortFunc(list, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), strings.Compare(a.member.Name, b.member.Name))
	})
	out := make([]cluster.Member, len(list))
	for i, w := range list {
		out[i] = w.member
	}
	return out
}

// mix spreads FNV's bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
