package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// A selector is a `members` or `self` block: a member must meet all of it.
type selector struct {
	statuses []cluster.Status // nil: any
	name     *pattern         // nil: any
	tags     []tagPattern     // sorted by tag
	where    *expr            // nil: true
	draining bool             // also those that drain
}

type tagPattern struct {
	tag string
	pattern
}

// match reports whether m meets s. A `where` that is null or cannot be
// evaluated is not met.
func (s *selector) match(m *cluster.Member, in *scope) bool {
	if s.statuses != nil && !slices.Contains(s.statuses, m.Status) {
		return false
	}
	if !s.draining && m.Draining() {
		return false
	}
	for i := range s.tags {
		if !s.tags[i].match(m.Tags[s.tags[i].tag]) {
			return false
		}
	}
	if s.name != nil && !s.name.match(m.Name) {
		return false
	}
	if s.where == nil {
		return true
	}
	in.member = m
	v, err := s.where.eval(in)
	return err == nil && !v.IsNull() && v.True()
}

// verdict says how m stands to each clause of s.
func (s *selector) verdict(m *cluster.Member, in *scope) []Clause {
	var out []Clause
	if s.statuses != nil {
		var words []string
		for _, st := range s.statuses {
			words = append(words, string(st))
		}
		out = append(out, Clause{"status in [" + strings.Join(words, ", ") + "]", string(m.Status), slices.Contains(s.statuses, m.Status)})
	}
	if m.Draining() { // of the others it would be said in vain
		c := Clause{`draining = "exclude"`, "draining", false}
		if s.draining {
			c.Text, c.OK = `draining = "include"`, true
		}
		out = append(out, c)
	}
	if s.name != nil {
		out = append(out, Clause{fmt.Sprintf("name matches %q", s.name.text), quoted(m.Name), s.name.match(m.Name)})
	}
	for i := range s.tags {
		t := &s.tags[i]
		got, has := m.Tags[t.tag]
		c := Clause{fmt.Sprintf("tags.%s matches %q", t.tag, t.text), "no such tag", t.match(got)}
		if has {
			c.Got = quoted(got)
		}
		out = append(out, c)
	}
	if s.where != nil {
		in.member = m
		got, ok := s.where.judge(in)
		out = append(out, Clause{"where " + s.where.text, got, ok})
	}
	return out
}

// judge evaluates a condition and says in words what it came to.
func (e *expr) judge(in *scope) (string, bool) {
	v, err := e.eval(in)
	switch {
	case err != nil:
		return "cannot be evaluated: " + printable(err.Error()), false
	case v.IsNull():
		return "null", false
	case v.RawEquals(cty.True):
		return "true", true
	}
	return "false", false
}

// quoted is a value from the network, fit for a line of a log.
func quoted(s string) string {
	if len(s) > 120 {
		return strconv.Quote(s[:120]) + "…"
	}
	return strconv.Quote(s)
}
