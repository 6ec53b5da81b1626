package templates

import (
	"fmt"
	"slices"
	"strings"

	"muster/cluster"
)

// A root is the data that a template sees. What it is asked for is noted.
type root struct{ r *run }

// Members returns the rule's members.
func (d *root) Members() []cluster.Member {
	d.r.reads.Members = true
	return d.r.members
}

// AllMembers returns every member.
func (d *root) AllMembers() []cluster.Member {
	d.r.reads.AllMembers = true
	return d.r.all
}

// Self returns this node.
func (d *root) Self() *cluster.Member {
	d.r.reads.Self = true
	return &d.r.data.Self
}

// Vars returns the rule's vars.
func (d *root) Vars() map[string]any { return d.r.vars }

// Rule returns the rule's name.
func (d *root) Rule() string { return d.r.data.Rule }

// Each returns the element of for_each.
func (d *root) Each() (*each, error) {
	if !d.r.data.HasEach {
		return nil, fmt.Errorf("the rule's template has no for_each")
	}
	return &each{Key: d.r.data.EachKey, Value: d.r.eachValue()}, nil
}

// Format keeps printf from looking inside.
func (d *root) Format(s fmt.State, _ rune) { fmt.Fprint(s, kindOf(d)) }

// An each is an element of for_each.
type each struct {
	Key   string
	Value any
}

// byName returns ms sorted by name: itself, if it is.
func byName(ms []cluster.Member) []cluster.Member {
	for i := 1; i < len(ms); i++ {
		if ms[i].Name < ms[i-1].Name {
			ms = slices.Clone(ms)
			slices.SortStableFunc(ms, func(a, b cluster.Member) int { return strings.Compare(a.Name, b.Name) })
			break
		}
	}
	return ms
}

// without returns ms without those that are excluded.
func (r *run) without(ms []cluster.Member) []cluster.Member {
	if r.trial && r.only == nil {
		return nil
	}
	if r.trial {
		i, ok := slices.BinarySearchFunc(ms, r.only.Name, func(m cluster.Member, name string) int {
			return strings.Compare(m.Name, name)
		})
		if !ok {
			return nil
		}
		return ms[i : i+1]
	}
	if len(r.excluded) == 0 {
		return ms
	}
	kept := make([]cluster.Member, 0, len(ms))
	for i := range ms {
		if !r.excluded[ms[i].Name] {
			kept = append(kept, ms[i])
		}
	}
	return kept
}

// selected returns the members that match a filter.
func (r *run) selected(filter string) ([]cluster.Member, error) {
	if ms, ok := r.filters[filter]; ok {
		return ms, nil
	}
	if r.data.Select == nil {
		return nil, fmt.Errorf("there are no other members here than .Members and .AllMembers")
	}
	ms, ok := r.found[filter]
	if !ok {
		r.t.spend(1 + len(r.data.AllMembers)/16)
		var err error
		if ms, err = r.data.Select(filter); err != nil {
			return nil, err
		}
		ms = byName(ms)
		r.found[filter] = ms
	}
	ms = r.without(ms)
	r.filters[filter] = ms
	return ms, nil
}

// eachValue returns the value of for_each's element, without the excluded.
func (r *run) eachValue() any {
	r.reads.Members = r.reads.Members || hasMembers(r.data.EachValue)
	return r.withoutIn(r.data.EachValue)
}

// hasMembers reports whether there are members in v.
func hasMembers(v any) bool {
	switch v := v.(type) {
	case cluster.Member, []cluster.Member:
		return true
	case []any:
		return slices.ContainsFunc(v, hasMembers)
	case map[string]any:
		for _, e := range v {
			if hasMembers(e) {
				return true
			}
		}
	}
	return false
}

// withoutIn returns a copy of v whose lists of members lack the excluded.
func (r *run) withoutIn(v any) any {
	switch v := v.(type) {
	case []cluster.Member:
		return r.without(byName(v))
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = r.withoutIn(v[i])
		}
		return c
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = r.withoutIn(e)
		}
		return c
	}
	return v
}
