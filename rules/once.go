package rules

import (
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A `where` is evaluated for each member, and what it says of all members,
// such as sort(members[*].name)[0], is the same each time. hoist makes it be
// worked out once for a view: ten thousand times ten thousand would not do.

// results is the variable in which a context keeps what was worked out.
const results = "\x00results"

type resultStore map[*hclsyntax.ParenthesesExpr]result

type result struct {
	value cty.Value
	diags hcl.Diagnostics
}

var storeType = cty.Capsule("results", reflect.TypeFor[resultStore]())

// A once stands for an expression that has one value for a view.
type once struct{ *hclsyntax.ParenthesesExpr }

func (o once) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	for c := ctx; c != nil; c = c.Parent() {
		v, ok := c.Variables[results]
		if !ok {
			continue
		}
		store := *v.EncapsulatedValue().(*resultStore)
		r, ok := store[o.ParenthesesExpr]
		if !ok {
			r.value, r.diags = o.Expression.Value(ctx)
			store[o.ParenthesesExpr] = r
		}
		return r.value, r.diags
	}
	return o.Expression.Value(ctx)
}

// hoist returns e with a once around each part that looks at all members, and
// not at the one that is matched.
func hoist(e hclsyntax.Expression) hclsyntax.Expression {
	if sameForAll(e) {
		return once{parentheses(e)}
	}
	switch n := e.(type) {
	case *hclsyntax.BinaryOpExpr:
		n.LHS, n.RHS = hoist(n.LHS), hoist(n.RHS)
	case *hclsyntax.UnaryOpExpr:
		n.Val = hoist(n.Val)
	case *hclsyntax.ConditionalExpr:
		n.Condition, n.TrueResult, n.FalseResult = hoist(n.Condition), hoist(n.TrueResult), hoist(n.FalseResult)
	case *hclsyntax.ParenthesesExpr:
		n.Expression = hoist(n.Expression)
	case *hclsyntax.IndexExpr:
		n.Collection, n.Key = hoist(n.Collection), hoist(n.Key)
	case *hclsyntax.RelativeTraversalExpr:
		n.Source = hoist(n.Source)
	case *hclsyntax.FunctionCallExpr:
		for i := range n.Args {
			n.Args[i] = hoist(n.Args[i])
		}
	case *hclsyntax.TupleConsExpr:
		for i := range n.Exprs {
			n.Exprs[i] = hoist(n.Exprs[i])
		}
	case *hclsyntax.ForExpr:
		n.CollExpr = hoist(n.CollExpr)
	}
	return e
}

// sameForAll reports whether e mentions members and else only what is the
// same for all of them. The variable of a loop around e is neither, unless it
// hides one of these; then e is left alone.
func sameForAll(e hclsyntax.Expression) bool {
	all := false
	for _, t := range e.Variables() {
		switch t.RootName() {
		case "members":
			all = true
		case "self", "local":
		default:
			return false
		}
	}
	return all
}
