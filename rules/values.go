package rules

import (
	"math/big"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

func stringMap(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	vs := make(map[string]cty.Value, len(m))
	for k, v := range m {
		vs[k] = cty.StringVal(v)
	}
	return cty.MapVal(vs)
}

func eventValue(e *cluster.Event, signer string) cty.Value {
	if e == nil {
		return cty.NullVal(variables["event"].kind)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"type":    cty.StringVal(e.Type),
		"name":    cty.StringVal(e.Name),
		"payload": cty.StringVal(string(e.Payload)),
		"ltime":   cty.NumberUIntVal(e.LTime),
		"from":    orNull(e.From),
		"signer":  orNull(signer),
	})
}

// orNull returns s, or null for what is not known.
func orNull(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func runValue(r *RunResult) cty.Value {
	if r == nil {
		return cty.NullVal(variables["run"].kind)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"stdout":    cty.StringVal(r.Stdout),
		"exit_code": cty.NumberIntVal(int64(r.ExitCode)),
	})
}

// goValue turns v into plain Go: nil, string, bool, int64, float64, []any,
// map[string]any; a member into a cluster.Member and a list of members into
// []cluster.Member.
func goValue(v cty.Value) any {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	t := v.Type()
	switch {
	case t == cty.String:
		return v.AsString()
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		return goNumber(v.AsBigFloat())
	case t == memberType:
		return *v.EncapsulatedValue().(*cluster.Member)
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		if listsMembers(t) {
			return goMembers(v)
		}
		list := make([]any, 0, v.LengthInt())
		for _, e := range v.Elements() {
			list = append(list, goValue(e))
		}
		return list
	case t.IsMapType() || t.IsObjectType():
		m := make(map[string]any)
		for k, e := range v.Elements() {
			m[k.AsString()] = goValue(e)
		}
		return m
	}
	return nil
}

func goNumber(f *big.Float) any {
	if i, acc := f.Int64(); acc == big.Exact {
		return i
	}
	x, _ := f.Float64()
	return x
}

// listsMembers reports whether a value of type t is a list of members and
// nothing else.
func listsMembers(t cty.Type) bool {
	if !t.IsTupleType() {
		return (t.IsListType() || t.IsSetType()) && t.ElementType() == memberType
	}
	types := t.TupleElementTypes()
	return len(types) > 0 && !slices.ContainsFunc(types, func(e cty.Type) bool { return e != memberType })
}

// goMembers returns the members that v lists.
func goMembers(v cty.Value) []cluster.Member {
	ms := make([]cluster.Member, 0, v.LengthInt())
	for _, e := range v.Elements() {
		if !e.IsNull() {
			ms = append(ms, *e.EncapsulatedValue().(*cluster.Member))
		}
	}
	return ms
}
