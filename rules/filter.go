package rules

import (
	"fmt"
	"slices"
	"strings"

	"muster/cluster"
)

// A Filter chooses members by tags, status and name, as `serf members` does.
// It is what the template function `members` takes.
type Filter struct {
	status, name *pattern
	tags         []tagPattern
	draining     bool // a tag pattern says which
}

// ParseFilter reads filters of the form KEY=PATTERN, several of them to a
// string if spaces stand between: "role=api", "status=alive|leaving name=web-.*".
// The keys status and name mean the member's own, every other key a tag; the
// pattern is a regular expression for the whole value. A member must match
// all of them. Without a status filter only members that are alive match, and
// without one of the tag muster-drain only those that do not drain.
func ParseFilter(filters ...string) (Filter, error) {
	var f Filter
	for _, word := range strings.Fields(strings.Join(filters, " ")) {
		key, text, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return Filter{}, fmt.Errorf("cannot read filter %s: write KEY=PATTERN, as in role=web", quoted(word))
		}
		p, err := compilePattern(text)
		if err != nil {
			return Filter{}, fmt.Errorf("cannot read filter %s: %w", quoted(word), err)
		}
		switch key {
		case "status":
			if f.status != nil {
				return Filter{}, fmt.Errorf("cannot read filter %s: a second status; write status=alive|failed", quoted(word))
			}
			if !slices.ContainsFunc(cluster.Statuses, func(s cluster.Status) bool { return p.match(string(s)) }) {
				return Filter{}, fmt.Errorf("cannot read filter %s: no member has such a status", quoted(word))
			}
			f.status = &p
		case "name":
			if f.name != nil {
				return Filter{}, fmt.Errorf("cannot read filter %s: a second name; write name=A|B", quoted(word))
			}
			f.name = &p
		default:
			f.tags = append(f.tags, tagPattern{key, p})
			f.draining = f.draining || key == cluster.DrainTag
		}
	}
	return f, nil
}

// Match reports whether m passes f. A tag that m lacks counts as empty.
func (f Filter) Match(m cluster.Member) bool {
	if f.status == nil && m.Status != cluster.Alive || f.status != nil && !f.status.match(string(m.Status)) {
		return false
	}
	if !f.draining && m.Draining() {
		return false
	}
	for i := range f.tags {
		if !f.tags[i].match(m.Tags[f.tags[i].tag]) {
			return false
		}
	}
	return f.name == nil || f.name.match(m.Name)
}
