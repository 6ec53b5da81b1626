package rules

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// takeMembers lists the functions that take members as they are, because they
// do not look into them.
var takeMembers = []string{"chunklist", "coalesce", "coalescelist", "concat", "element", "flatten",
	"group_by", "keys", "length", "lookup", "reverse", "slice", "tolist", "values"}

// An argument stands for an argument of a function, and makes it easy to take:
// a list of a long tuple, and objects of members unless the function takes
// members.
type argument struct {
	*hclsyntax.ParenthesesExpr
	members bool // leave them
}

func (a argument) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := a.Expression.Value(ctx)
	if diags.HasErrors() {
		return v, diags
	}
	if !a.members {
		v = asObjects(v)
	}
	return asList(v), diags
}

// asList returns a long tuple whose elements are of one type as a list, and
// everything else as it is. `for` and [*] make tuples, and to convert one of
// ten thousand elements to a list takes cty more than a second: it sorts the
// types of the elements, each against each.
func asList(v cty.Value) cty.Value {
	const long = 16
	if !v.Type().IsTupleType() || !v.IsKnown() || v.IsNull() || v.IsMarked() || v.LengthInt() < long {
		return v
	}
	of := cty.DynamicPseudoType
	for _, t := range v.Type().TupleElementTypes() {
		switch {
		case of == cty.DynamicPseudoType:
			of = t
		case t != cty.DynamicPseudoType && !t.Equals(of):
			return v
		}
	}
	list := elements(v)
	for i, e := range list {
		switch {
		case e.Type() != cty.DynamicPseudoType:
		case e.IsKnown() && e.IsNull():
			list[i] = cty.NullVal(of)
		default:
			return v
		}
	}
	if of == cty.DynamicPseudoType {
		return v
	}
	return cty.ListVal(list)
}

// holdsMembers reports whether a value of type t is or holds a member.
func holdsMembers(t cty.Type) bool {
	switch {
	case t == memberType:
		return true
	case t.IsCollectionType():
		return holdsMembers(t.ElementType())
	case t.IsTupleType():
		return slices.ContainsFunc(t.TupleElementTypes(), holdsMembers)
	case t.IsObjectType():
		for _, a := range t.AttributeTypes() {
			if holdsMembers(a) {
				return true
			}
		}
	}
	return false
}

// asObjects returns v with an object for each member, a tuple for each list
// and an object for each map.
func asObjects(v cty.Value) cty.Value {
	t := v.Type()
	switch {
	case !holdsMembers(t):
		return v
	case !v.IsKnown():
		return cty.DynamicVal
	case v.IsNull():
		return cty.NullVal(cty.DynamicPseudoType)
	case t == memberType:
		m, attrs := v.EncapsulatedValue().(*cluster.Member), map[string]cty.Value{}
		for _, name := range memberAttrs {
			attrs[name] = memberAttr(m, name)
		}
		return cty.ObjectVal(attrs)
	case t.IsMapType() || t.IsObjectType():
		attrs := map[string]cty.Value{}
		for k, e := range v.Elements() {
			attrs[k.AsString()] = asObjects(e)
		}
		return cty.ObjectVal(attrs)
	}
	var list []cty.Value
	for _, e := range v.Elements() {
		list = append(list, asObjects(e))
	}
	return cty.TupleVal(list)
}
