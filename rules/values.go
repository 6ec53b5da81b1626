package rules

import (
	"math/big"

	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// memberValue is m as expressions see it. Its tags are a map, in which
// tagStep gives null for a tag that m lacks.
func memberValue(m cluster.Member) cty.Value {
	addr := cty.NullVal(cty.String)
	if m.Addr.IsValid() {
		addr = cty.StringVal(m.Addr.String())
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name":   cty.StringVal(m.Name),
		"addr":   addr,
		"port":   cty.NumberUIntVal(uint64(m.Port)),
		"status": cty.StringVal(string(m.Status)),
		"tags":   stringMap(m.Tags),
	})
}

func membersValue(ms []cluster.Member) cty.Value {
	if len(ms) == 0 {
		return cty.ListValEmpty(memberType)
	}
	vs := make([]cty.Value, len(ms))
	for i, m := range ms {
		vs[i] = memberValue(m)
	}
	return cty.ListVal(vs)
}

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

func eventValue(e *cluster.Event) cty.Value {
	if e == nil {
		return cty.NullVal(variables["event"].kind)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"type":    cty.StringVal(e.Type),
		"name":    cty.StringVal(e.Name),
		"payload": cty.StringVal(string(e.Payload)),
		"ltime":   cty.NumberUIntVal(e.LTime),
	})
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
// map[string]any; a member into a cluster.Member and a list of them into
// []cluster.Member, taken from the view.
func goValue(v cty.Value, view *cluster.View) any {
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
	case isMember(t):
		return memberOf(v, view)
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		if ms, ok := goMembers(v, view); ok {
			return ms
		}
		list := make([]any, 0, v.LengthInt())
		for _, e := range v.Elements() {
			list = append(list, goValue(e, view))
		}
		return list
	case t.IsMapType() || t.IsObjectType():
		m := make(map[string]any)
		for k, e := range v.Elements() {
			m[k.AsString()] = goValue(e, view)
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

// goMembers returns the members that v lists, if it lists members and
// nothing else.
func goMembers(v cty.Value, view *cluster.View) ([]cluster.Member, bool) {
	t := v.Type()
	switch {
	case t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			if !isMember(e) {
				return nil, false
			}
		}
		if t.Length() == 0 {
			return nil, false
		}
	case !(t.IsListType() || t.IsSetType()) || !isMember(t.ElementType()):
		return nil, false
	}
	ms := make([]cluster.Member, 0, v.LengthInt())
	for _, e := range v.Elements() {
		if e.IsNull() {
			return nil, false
		}
		ms = append(ms, memberOf(e, view))
	}
	return ms, true
}

func isMember(t cty.Type) bool {
	return t.IsObjectType() && len(t.AttributeTypes()) == len(memberAttrs) && t.Equals(memberType)
}

// memberOf returns the view's member of v's name. An expression can only have
// got v from the view, unless it made an object that looks like a member: of
// that, the name is all that counts.
func memberOf(v cty.Value, view *cluster.View) cluster.Member {
	name := v.GetAttr("name")
	if name.IsNull() {
		return cluster.Member{}
	}
	if m, ok := view.Member(name.AsString()); ok {
		return m
	}
	return cluster.Member{Name: name.AsString()}
}
