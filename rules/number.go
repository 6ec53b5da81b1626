package rules

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// tooBig reports whether s is a number that costs more than it can be worth.
// cty computes with 512 bits and any exponent, so that a member's tag of
// "1e600000000" would keep the agent busy for hours once it is printed.
func tooBig(s string) bool {
	if len(s) > 1000 {
		return strings.Trim(s, "0123456789.eE+-") == ""
	}
	mantissa, exponent, ok := cutAny(s, "eE")
	if !ok || strings.Trim(mantissa, "0123456789.+-") != "" {
		return false
	}
	digits := strings.TrimLeft(exponent, "+-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(digits)
	return err != nil || n > maxExponent
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// A numberGuard stands where HCL would turn a string into a number, and
// refuses those that are too big. It embeds HCL's node for parentheses, which
// lets walks of the tree pass through it.
type numberGuard struct{ *hclsyntax.ParenthesesExpr }

func guardNumber(e hclsyntax.Expression) numberGuard { return numberGuard{parentheses(e)} }

func parentheses(e hclsyntax.Expression) *hclsyntax.ParenthesesExpr {
	return &hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}
}

func (g numberGuard) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := g.Expression.Value(ctx)
	if diags.HasErrors() || v.Type() != cty.String || !v.IsKnown() || v.IsNull() || v.IsMarked() || !tooBig(v.AsString()) {
		return v, diags
	}
	return cty.DynamicVal, append(diags, bound("this number is too large",
		"A number's exponent may be at most "+strconv.Itoa(maxExponent)+".", g.Range()))
}
