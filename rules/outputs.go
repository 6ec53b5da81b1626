package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// maxOutputs bounds the files of one rule.
const maxOutputs = 10000

// Inputs is what a rule's files are made from.
type Inputs struct {
	View    cluster.View
	Members []cluster.Member // those the rule selected, sorted
}

// An Output is one file that a rule wants.
type Output struct {
	Template    *Template
	Destination string         // absolute, clean
	Vars        map[string]any // read-only: nil, string, bool, int64, float64, []any, map[string]any, cluster.Member, []cluster.Member
	Each        *Each          // nil without for_each
	// DependsOnView says that the destination or the variables depend on more
	// than the selected members: on `self`, which need not be one of them.
	DependsOnView bool
}

// Each is one element of a template's for_each.
type Each struct {
	Key     string
	Value   any              // as in Output.Vars
	Members []cluster.Member // set if Value is a list of members
}

// A Refused is an element of for_each that cannot become a file. The other
// elements do.
type Refused struct {
	Template *Template
	Key      string // from the network: quote it
	Reason   string // one line, safe to print
}

// Outputs returns the files that r wants, template by template, and those of
// for_each by key.
func (r *Rule) Outputs(in Inputs) ([]Output, []Refused, error) {
	s := &scope{view: &in.View, chosen: in.Members}
	if s.chosen == nil {
		s.chosen = []cluster.Member{}
	}
	var outs []Output
	var refused []Refused
	for _, t := range r.Templates {
		var err error
		if outs, refused, err = t.outputs(s, outs, refused); err != nil {
			return nil, nil, fmt.Errorf("cannot evaluate template at %s: %w", t.at, err)
		}
	}
	return outs, refused, distinct(outs)
}

// outputs appends t's files.
func (t *Template) outputs(s *scope, outs []Output, refused []Refused) ([]Output, []Refused, error) {
	elements, err := t.elements(s)
	if err != nil {
		return nil, nil, fmt.Errorf("for_each: %w", err)
	}
	if len(outs)+len(elements) > maxOutputs {
		return nil, nil, fmt.Errorf("for_each: more than %d files", maxOutputs)
	}
	for _, el := range elements {
		s.each, s.eachValue = el.each, el.value
		out := Output{Template: t, Each: el.each, DependsOnView: t.uses()&useSelf != 0}
		out.Destination, err = t.destination.path(s)
		if err != nil && el.each != nil {
			refused = append(refused, Refused{t, el.each.Key, err.Error()})
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("destination: %w", err)
		}
		if out.Vars, err = t.variables(s); err != nil {
			return nil, nil, fmt.Errorf("vars: %w", err)
		}
		outs = append(outs, out)
	}
	return outs, refused, nil
}

// uses returns what t's expressions mention.
func (t *Template) uses() (u uses) {
	for _, e := range []*expr{t.forEach, t.destination, t.vars} {
		if e != nil {
			u |= e.uses
		}
	}
	return u
}

// UsesMembers reports whether t's for_each, destination or vars are made from
// the selected members: then a file depends on them, or is there because of
// them, whatever the template's text reads.
func (t *Template) UsesMembers() bool { return t.uses()&useMembers != 0 }

// variables evaluates t's vars.
func (t *Template) variables(s *scope) (map[string]any, error) {
	if t.vars == nil {
		return nil, nil
	}
	v, err := t.vars.eval(s)
	if err != nil {
		return nil, err
	}
	switch x := goValue(v).(type) {
	case map[string]any:
		return x, nil
	case nil:
		return nil, nil
	default:
		return nil, fmt.Errorf("must be an object, not %s", typeName(v.Type()))
	}
}

// An element is one round of for_each.
type element struct {
	each  *Each
	value cty.Value
}

// elements evaluates for_each, sorted by key; without it, one element.
func (t *Template) elements(s *scope) ([]element, error) {
	if t.forEach == nil {
		return []element{{}}, nil
	}
	v, err := t.forEach.eval(s)
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, fmt.Errorf("it is null")
	}
	if !v.CanIterateElements() {
		return nil, fmt.Errorf("must be a map, a list of strings or a list of members, not %s", typeName(v.Type()))
	}
	keyed := v.Type().IsMapType() || v.Type().IsObjectType()
	byKey := map[string]bool{}
	var out []element
	for k, x := range v.Elements() {
		if !keyed {
			k = x
			if !x.IsNull() && x.Type() == memberType {
				k = cty.StringVal(x.EncapsulatedValue().(*cluster.Member).Name)
			}
		}
		if !isString(k) {
			return nil, fmt.Errorf("must be a map, a list of strings or a list of members, not %s", typeName(v.Type()))
		}
		key := k.AsString()
		if byKey[key] {
			continue
		}
		byKey[key] = true
		each := &Each{Key: key, Value: goValue(x)}
		each.Members, _ = each.Value.([]cluster.Member)
		out = append(out, element{each, x})
	}
	if t.forEach.uses&useMembers != 0 {
		emptyLists(out)
	}
	sortElements(out)
	return out, nil
}

// emptyLists makes lists of no members of the empty values among lists of
// members: `[for m in members : m if …]` that finds none has no type, and must
// not mean all of them.
func emptyLists(es []element) {
	empty := func(e element) bool { list, ok := e.each.Value.([]any); return ok && len(list) == 0 }
	for _, e := range es {
		if e.each.Members == nil && !empty(e) {
			return
		}
	}
	for _, e := range es {
		if empty(e) {
			e.each.Members = []cluster.Member{}
			e.each.Value = e.each.Members
		}
	}
}

// distinct makes sure that no two outputs are the same file.
func distinct(outs []Output) error {
	first := make(map[string]*Output, len(outs))
	for i := range outs {
		o := &outs[i]
		if other := first[o.Destination]; other != nil {
			return fmt.Errorf("two files would be %s: %s and %s", quoted(o.Destination), other.origin(), o.origin())
		}
		first[o.Destination] = o
	}
	return nil
}

// origin names what o comes from.
func (o *Output) origin() string {
	if o.Each == nil {
		return "the template at " + o.Template.at.String()
	}
	return "key " + quoted(o.Each.Key) + " of the template at " + o.Template.at.String()
}

func sortElements(es []element) {
	slices.SortFunc(es, func(a, b element) int { return strings.Compare(a.each.Key, b.each.Key) })
}
