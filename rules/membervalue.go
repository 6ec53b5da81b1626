package rules

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// A member is a capsule to cty: to make an object of it takes 5 µs, which ten
// thousand members cannot afford at each change. The steps of a traversal
// (member.tags.weight) read the member itself; what hands a whole member to a
// function makes an object of it first.

var memberAttrs = []string{"name", "addr", "port", "status", "tags"}

// memberType is a member as expressions see it.
var memberType = cty.CapsuleWithOps("member", reflect.TypeFor[cluster.Member](), &cty.CapsuleOps{
	Equals:    func(a, b any) cty.Value { return cty.BoolVal(a.(*cluster.Member).Equal(*b.(*cluster.Member))) },
	RawEquals: func(a, b any) bool { return a.(*cluster.Member).Equal(*b.(*cluster.Member)) },
	HashKey:   func(v any) string { return v.(*cluster.Member).Name },
})

// tagsType stands between member.tags and the tag that is asked for.
var tagsType = cty.Capsule("tags", reflect.TypeFor[map[string]string]())

func memberValue(m *cluster.Member) cty.Value {
	if m == nil {
		return cty.NullVal(memberType)
	}
	return cty.CapsuleVal(memberType, m)
}

func membersValue(ms []cluster.Member) cty.Value {
	if len(ms) == 0 {
		return cty.ListValEmpty(memberType)
	}
	vs := make([]cty.Value, len(ms))
	for i := range ms {
		vs[i] = memberValue(&ms[i])
	}
	return cty.ListVal(vs)
}

// memberAttr returns one attribute of a member.
func memberAttr(m *cluster.Member, name string) cty.Value {
	switch name {
	case "name":
		return cty.StringVal(m.Name)
	case "addr":
		if !m.Addr.IsValid() {
			return cty.NullVal(cty.String)
		}
		return cty.StringVal(m.Addr.String())
	case "port":
		return cty.NumberUIntVal(uint64(m.Port))
	case "status":
		return cty.StringVal(string(m.Status))
	case "tags":
		return stringMap(m.Tags)
	}
	return cty.NilVal
}

// memberAttrType returns the type of one attribute of a member.
func memberAttrType(name string) cty.Type {
	switch name {
	case "port":
		return cty.Number
	case "tags":
		return cty.Map(cty.String)
	}
	return cty.String
}

// A memberStep asks for an attribute of what may be a member.
type memberStep struct{ hcl.TraverseAttr }

func (s memberStep) TraversalStep(v cty.Value) (cty.Value, hcl.Diagnostics) {
	if v.Type() != memberType || v.IsNull() {
		return s.TraverseAttr.TraversalStep(v)
	}
	if !slices.Contains(memberAttrs, s.Name) {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("a member has no attribute `%s`%s", s.Name, didYouMean(s.Name, memberAttrs)),
			Detail:   fmt.Sprintf("A member has %s. For the tag `%s` write `tags.%s`.", and(memberAttrs), s.Name, s.Name),
			Subject:  s.SrcRange.Ptr(),
			Extra:    memberMistake{},
		}}
	}
	if !v.IsKnown() {
		return cty.UnknownVal(memberAttrType(s.Name)), nil
	}
	return memberAttr(v.EncapsulatedValue().(*cluster.Member), s.Name), nil
}

// memberMistake marks what a memberStep reports.
type memberMistake struct{}

// A tagsStep asks a member for the tags of which a tagStep wants one.
type tagsStep struct{ memberStep }

func (s tagsStep) TraversalStep(v cty.Value) (cty.Value, hcl.Diagnostics) {
	if v.Type() != memberType || v.IsNull() || !v.IsKnown() {
		return s.memberStep.TraversalStep(v)
	}
	return cty.CapsuleVal(tagsType, &v.EncapsulatedValue().(*cluster.Member).Tags), nil
}

// A tagStep asks for one tag: null if the member lacks it.
type tagStep struct{ hcl.TraverseAttr }

func (s tagStep) TraversalStep(v cty.Value) (cty.Value, hcl.Diagnostics) {
	switch t := v.Type(); {
	case v.IsNull() || !v.IsKnown():
	case t == tagsType:
		if text, ok := (*v.EncapsulatedValue().(*map[string]string))[s.Name]; ok {
			return cty.StringVal(text), nil
		}
		return cty.NullVal(cty.String), nil
	case t.IsMapType():
		if key := cty.StringVal(s.Name); v.HasIndex(key).False() {
			return cty.NullVal(t.ElementType()), nil
		}
	}
	return s.TraverseAttr.TraversalStep(v)
}
