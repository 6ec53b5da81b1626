package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// readMembers reads the `members` block. In a rule that renders it selects
// members that are alive and do not drain unless it says otherwise; in one that
// acts, members of any status, draining or not: the event tells what happened
// to them.
func (b *block) readMembers(acts bool) selector {
	sel := selector{statuses: []cluster.Status{cluster.Alive}}
	if acts {
		sel.statuses, sel.draining = nil, true
	}
	c := b.child("members")
	if c == nil {
		return sel
	}
	s := b.open(c.Body, c.DefRange, shape{what: "a `members` block", attrs: []string{"status", "draining", "tags", "name", "where"},
		hints: map[string]string{"role": "Write tags = { role = … }."}})
	s.readDraining(&sel)
	if s.attrs["status"] != nil {
		sel.statuses = s.readStatuses()
	}
	s.readPatterns(&sel)
	sel.where = s.expression("where", spec{what: "`where`", allowed: useMember | useMembers | useSelf, want: cty.Bool})
	return sel
}

// readSelf reads the `self` block.
func (b *block) readSelf() *selector {
	c := b.child("self")
	if c == nil {
		return nil
	}
	s := b.open(c.Body, c.DefRange, shape{what: "a `self` block", attrs: []string{"tags", "name", "where"},
		hints: map[string]string{"role": "Write tags = { role = … }.", "status": "This node is alive, or it would not look."}})
	sel := &selector{draining: true}
	s.readPatterns(sel)
	sel.where = s.expression("where", spec{what: "`where` of `self`", allowed: useSelf, want: cty.Bool})
	return sel
}

// readDraining reads whether members that drain are selected.
func (b *block) readDraining(sel *selector) {
	v, ok := b.constant("draining", cty.String)
	if !ok {
		return
	}
	switch word := v.AsString(); word {
	case "include", "exclude":
		sel.draining = word == "include"
	default:
		b.wrong("draining", fmt.Sprintf("`draining` is \"%s\"%s", printable(word), didYouMean(word, []string{"include", "exclude"})),
			"Write \"include\" to select members that drain, too, or \"exclude\" to leave them out.")
	}
}

func (b *block) readStatuses() []cluster.Status {
	var names []string
	for _, s := range cluster.Statuses {
		names = append(names, string(s))
	}
	var out []cluster.Status
	words, places := b.strList("status")
	for i, w := range words {
		if !cluster.Status(w).Valid() {
			b.problem(places[i], fmt.Sprintf("no status `%s`%s", printable(w), didYouMean(w, names)), "A member's status is one of "+and(names)+".")
			continue
		}
		out = append(out, cluster.Status(w))
	}
	if words != nil && len(words) == 0 {
		b.wrong("status", "`status` is empty: no member would be selected", "For members of any status write "+quoteList(names)+".")
	}
	return out
}

// readPatterns reads `name` and `tags`: regular expressions for the whole.
func (b *block) readPatterns(sel *selector) {
	if v, ok := b.constant("name", cty.String); ok {
		if p, ok := b.pattern(v.AsString(), b.attrs["name"].Expr.Range()); ok {
			sel.name = &p
		}
	}
	v, ok := b.constant("tags", cty.Map(cty.String))
	if !ok {
		return
	}
	places := b.keyPlaces("tags")
	tags := v.AsValueMap()
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		at := places(key)
		if tags[key].IsNull() {
			b.problem(at, fmt.Sprintf("the pattern for tag `%s` is null", printable(key)), fmt.Sprintf("For members that lack the tag write where = member.tags.%s == null", key))
			continue
		}
		if p, ok := b.pattern(tags[key].AsString(), at); ok {
			sel.tags = append(sel.tags, tagPattern{key, p})
		}
	}
}

// keyPlaces returns where the value of each key of an object stands.
func (b *block) keyPlaces(name string) func(key string) hcl.Range {
	whole := b.attrs[name].Expr.Range()
	pairs, _ := hcl.ExprMap(b.attrs[name].Expr)
	return func(key string) hcl.Range {
		for _, p := range pairs {
			if v, _ := p.Key.Value(nil); isString(v) && v.AsString() == key {
				return p.Value.Range()
			}
		}
		return whole
	}
}

func (b *block) pattern(text string, at hcl.Range) (pattern, bool) {
	p, err := compilePattern(text)
	if err != nil {
		b.problem(at, fmt.Sprintf("not a regular expression: %v", err), "The syntax is RE2's; it is matched against the whole value. Write a backslash twice: \"\\\\.\" stands for a dot.")
	}
	return p, err == nil
}

// expression compiles an attribute that is evaluated later; nil if it is
// absent or mistaken.
func (b *block) expression(name string, s spec) *expr {
	attr := b.attrs[name]
	if attr == nil {
		return nil
	}
	return b.compile(attr.Expr, s)
}
