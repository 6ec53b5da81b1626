package rules

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// adapt changes e in place. Steps into a member are taken by memberStep; a tag
// that a member lacks becomes null where HCL has an error: member.tags.weight,
// member.tags["weight"], members[*].tags.weight, member.tags[each.key]. Where
// HCL would turn a string into a number, a numberGuard looks at it first. The
// rounds of loops are counted, and functions get lists where they can.
func adapt(e hclsyntax.Expression, funcs map[string]function.Function) {
	hclsyntax.Walk(e, adapter{funcs})
}

// An adapter adapts each node after its children, which it may then wrap.
type adapter struct{ funcs map[string]function.Function }

func (adapter) Enter(hclsyntax.Node) hcl.Diagnostics { return nil }

func (a adapter) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		adaptTraversal(n.Traversal)
	case *hclsyntax.RelativeTraversalExpr:
		adaptTraversal(n.Traversal)
	case *hclsyntax.IndexExpr:
		if endsInTags(n.Collection) {
			n.Collection = tagsWith{parentheses(n.Collection), n.Key}
		} else {
			n.Key = guardNumber(n.Key)
		}
	case *hclsyntax.BinaryOpExpr:
		if n.Op.Type == cty.Number || n.Op != hclsyntax.OpEqual && n.Op != hclsyntax.OpNotEqual &&
			n.Op != hclsyntax.OpLogicalAnd && n.Op != hclsyntax.OpLogicalOr {
			n.LHS, n.RHS = guardNumber(n.LHS), guardNumber(n.RHS)
		}
	case *hclsyntax.ForExpr:
		if n.CondExpr != nil {
			n.CondExpr = roundCounter{parentheses(n.CondExpr)}
		} else {
			n.ValExpr = roundCounter{parentheses(n.ValExpr)}
		}
	case *hclsyntax.UnaryOpExpr:
		n.Val = guardNumber(n.Val)
	case *hclsyntax.FunctionCallExpr:
		for i := range n.Args {
			if n.Name != "can" && n.Name != "try" { // which take the expression itself
				n.Args[i] = argument{parentheses(n.Args[i]), slices.Contains(takeMembers, n.Name)}
			}
		}
		for i := range n.Args {
			if wantsNumber(n.Name, a.funcs[n.Name], i) {
				n.Args[i] = guardNumber(n.Args[i])
			}
		}
	}
	return nil
}

// wantsNumber reports whether f turns its ith argument into a number.
func wantsNumber(name string, f function.Function, i int) bool {
	if name == "tonumber" || name == "parseint" || name == "range" {
		return true
	}
	if f == (function.Function{}) {
		return false
	}
	if params := f.Params(); i < len(params) {
		return params[i].Type == cty.Number
	}
	return f.VarParam() != nil && f.VarParam().Type == cty.Number
}

// adaptTraversal replaces the steps that may be into a member.
func adaptTraversal(t hcl.Traversal) {
	for i, step := range t {
		name := stepName(step)
		if name == "" {
			continue
		}
		attr := hcl.TraverseAttr{Name: name, SrcRange: step.SourceRange()}
		switch before, isTags := previousStep(t, i); {
		case isTags:
			t[i-1], t[i] = tagsStep{before}, tagStep{attr}
		case slices.Contains(memberAttrs, name) || isAttr(step):
			t[i] = memberStep{attr}
		}
	}
}

// previousStep returns the step before the ith if it asks for tags.
func previousStep(t hcl.Traversal, i int) (memberStep, bool) {
	if i == 0 {
		return memberStep{}, false
	}
	s, ok := t[i-1].(memberStep)
	return s, ok && s.Name == "tags"
}

func isAttr(step hcl.Traverser) bool {
	_, ok := step.(hcl.TraverseAttr)
	return ok
}

// stepName returns the attribute or key that a step asks for, or "".
func stepName(step hcl.Traverser) string {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case memberStep:
		return s.Name
	case tagsStep:
		return s.Name
	case tagStep:
		return s.Name
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString()
		}
	}
	return ""
}

func endsInTags(e hclsyntax.Expression) bool {
	var t hcl.Traversal
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		t = e.Traversal
	case *hclsyntax.RelativeTraversalExpr:
		t = e.Traversal
	}
	return len(t) > 0 && stepName(t[len(t)-1]) == "tags"
}

// tagsWith evaluates to a member's tags, with null for the key if they lack it.
type tagsWith struct {
	*hclsyntax.ParenthesesExpr
	key hclsyntax.Expression
}

func (t tagsWith) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := t.Expression.Value(ctx)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || !v.Type().IsMapType() {
		return v, diags
	}
	key, keyDiags := t.key.Value(ctx)
	if keyDiags.HasErrors() || key.IsNull() || !key.IsKnown() || key.Type() != cty.String || v.HasIndex(key).True() {
		return v, diags
	}
	all := v.AsValueMap()
	if all == nil {
		all = map[string]cty.Value{}
	}
	all[key.AsString()] = cty.NullVal(v.Type().ElementType())
	return cty.MapVal(all), diags
}
