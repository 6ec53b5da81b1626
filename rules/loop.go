package rules

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxRounds bounds how often the bodies of an expression's `for` loops are
// evaluated, all in all: loops within loops would keep the agent busy for
// hours. So many rounds take about a quarter of a second.
const maxRounds = 250_000

// roundsLeft is the variable, of a name that no user can write, in which a
// context keeps the rounds that are left.
const roundsLeft = "\x00rounds"

var roundsType = cty.Capsule("rounds", reflect.TypeFor[int]())

// child returns a context for one evaluation or more of one expression with
// one view, and the counter of the rounds that are left, which is to be set
// before each.
func child(base *hcl.EvalContext, vars map[string]cty.Value) (*hcl.EvalContext, *int) {
	ctx, left := base.NewChild(), maxRounds
	vars[roundsLeft] = cty.CapsuleVal(roundsType, &left)
	vars[results] = cty.CapsuleVal(storeType, &resultStore{})
	ctx.Variables = vars
	return ctx, &left
}

// A roundCounter stands in the body of a loop.
type roundCounter struct{ *hclsyntax.ParenthesesExpr }

func (r roundCounter) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	for c := ctx; c != nil; c = c.Parent() {
		v, ok := c.Variables[roundsLeft]
		if !ok {
			continue
		}
		left := v.EncapsulatedValue().(*int)
		if *left--; *left < 0 {
			return cty.DynamicVal, hcl.Diagnostics{bound("too many rounds of loops",
				fmt.Sprintf("The loops of an expression may have %d rounds in all.", maxRounds), r.Range())}
		}
		break
	}
	return r.Expression.Value(ctx)
}
