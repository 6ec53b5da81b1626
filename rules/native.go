package rules

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// native returns e in HCL's native syntax tree. In a JSON file each string is
// a template, which HCL's own JSON expressions parse anew at each evaluation.
func native(e hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	if n, ok := e.(hclsyntax.Expression); ok {
		return n, nil
	}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		return nativeObject(pairs, e.Range())
	}
	if items, diags := hcl.ExprList(e); !diags.HasErrors() {
		tuple := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		var diags hcl.Diagnostics
		for _, item := range items {
			n, d := native(item)
			diags = append(diags, d...)
			tuple.Exprs = append(tuple.Exprs, n)
		}
		return tuple, diags
	}
	v, diags := e.Value(nil) // nil: strings as they stand
	if !diags.HasErrors() && isString(v) {
		return nativeTemplate(v.AsString(), e.Range())
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}, diags
}

func nativeObject(pairs []hcl.KeyValuePair, r hcl.Range) (hclsyntax.Expression, hcl.Diagnostics) {
	object := &hclsyntax.ObjectConsExpr{SrcRange: r, OpenRange: r}
	var diags hcl.Diagnostics
	for _, pair := range pairs {
		key, d := native(pair.Key)
		diags = append(diags, d...)
		value, d := native(pair.Value)
		diags = append(diags, d...)
		object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: value})
	}
	return object, diags
}

// nativeTemplate parses the text of a JSON string that stands at r.
func nativeTemplate(text string, r hcl.Range) (hclsyntax.Expression, hcl.Diagnostics) {
	start := hcl.Pos{Line: r.Start.Line, Column: r.Start.Column + 1, Byte: r.Start.Byte + 1} // past the quote
	tokens, _ := hclsyntax.LexTemplate([]byte(text), r.Filename, start)
	if d := checkTokens(tokens); d != nil {
		return &hclsyntax.LiteralValueExpr{SrcRange: r}, hcl.Diagnostics{d}
	}
	e, diags := hclsyntax.ParseTemplate([]byte(text), r.Filename, start)
	if diags.HasErrors() {
		return &hclsyntax.LiteralValueExpr{SrcRange: r}, diags
	}
	return e, diags
}
