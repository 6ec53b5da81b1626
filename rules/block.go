package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A shape is what may stand in a block.
type shape struct {
	what   string              // as in "a `template` block"
	attrs  []string            // names
	blocks map[string][]string // types, and the names of their labels
	hints  map[string]string   // what to do about names that are often misplaced
}

// A block is one block of a file while it is read.
type block struct {
	loader *loader
	file   *file
	rule   string // the rule it belongs to, for messages; may be empty
	shape  shape
	at     hcl.Range
	attrs  hcl.Attributes
	blocks hcl.Blocks
	locals map[string]cty.Value
}

// open reads body as s says and reports what does not belong there.
func (b *block) open(body hcl.Body, at hcl.Range, s shape) *block {
	in := *b
	in.shape, in.at = s, at
	schema := &hcl.BodySchema{}
	for _, name := range s.attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	for _, name := range slices.Sorted(maps.Keys(s.blocks)) {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: s.blocks[name]})
	}
	content := &hcl.BodyContent{}
	var diags hcl.Diagnostics
	if n, ok := body.(*hclsyntax.Body); ok {
		in.strangers(n)
		content, _, diags = n.PartialContent(schema)
	} else {
		content, diags = body.Content(jsonSchema(body, schema))
	}
	b.loader.diagnose(diags, b.rule)
	in.attrs, in.blocks = content.Attributes, content.Blocks
	return &in
}

// jsonSchema drops, of names that s has as attribute and as block, the one
// that the JSON does not mean: an object means the block.
func jsonSchema(body hcl.Body, s *hcl.BodySchema) *hcl.BodySchema {
	attrs, _ := body.JustAttributes()
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a hcl.AttributeSchema) bool {
		isBlock := slices.ContainsFunc(s.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == a.Name })
		return isBlock && attrs[a.Name] != nil && isObject(attrs[a.Name].Expr)
	})
	return s
}

func isObject(e hcl.Expression) bool {
	if _, diags := hcl.ExprMap(e); !diags.HasErrors() {
		return true
	}
	list, diags := hcl.ExprList(e)
	return !diags.HasErrors() && len(list) > 0 && isObject(list[0])
}

// strangers reports the attributes and blocks that b's shape does not have.
func (b *block) strangers(body *hclsyntax.Body) {
	blockNames := slices.Sorted(maps.Keys(b.shape.blocks))
	all := append(slices.Clone(b.shape.attrs), blockNames...)
	slices.Sort(all)
	for name, attr := range body.Attributes {
		_, isBlock := b.shape.blocks[name]
		switch {
		case slices.Contains(b.shape.attrs, name):
		case isBlock:
			b.problem(attr.NameRange, fmt.Sprintf("`%s` is a block, not a value", name), fmt.Sprintf("Leave out the equals sign: %s { … }", name))
		default:
			b.problem(attr.NameRange, fmt.Sprintf("%s has no `%s`%s", b.shape.what, name, didYouMean(name, all)), b.hint(name, all))
		}
	}
	for _, bl := range body.Blocks {
		_, isBlock := b.shape.blocks[bl.Type]
		switch {
		case isBlock:
		case slices.Contains(b.shape.attrs, bl.Type):
			b.problem(bl.TypeRange, fmt.Sprintf("`%s` is a value, not a block", bl.Type), fmt.Sprintf("Write %s = …", bl.Type))
		default:
			b.problem(bl.TypeRange, fmt.Sprintf("%s has no `%s`%s", b.shape.what, bl.Type, didYouMean(bl.Type, all)), b.hint(bl.Type, all))
		}
	}
}

func (b *block) hint(name string, all []string) string {
	if h := b.shape.hints[name]; h != "" {
		return h
	}
	return "It may have " + and(all) + "."
}

// problem reports a mistake at r.
func (b *block) problem(r hcl.Range, summary, detail string) {
	b.loader.report(Problem{Severity: Error, Rule: b.rule, Summary: summary, Detail: detail}, r)
}

// children returns b's blocks of one type.
func (b *block) children(kind string) []*hcl.Block {
	var out []*hcl.Block
	for _, c := range b.blocks {
		if c.Type == kind {
			out = append(out, c)
		}
	}
	return out
}

// child returns b's only block of one type, or nil, and reports others.
func (b *block) child(kind string) *hcl.Block {
	all := b.children(kind)
	if len(all) == 0 {
		return nil
	}
	for _, extra := range all[1:] {
		b.problem(extra.DefRange, fmt.Sprintf("a second `%s` block", kind),
			fmt.Sprintf("%s has one at most; the first is at %s.", b.shape.what, placeOf(all[0].DefRange)))
	}
	return all[0]
}

// base is the context of b's constant values: functions and local values.
func (b *block) base() *hcl.EvalContext {
	ctx := b.file.context.NewChild()
	ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(b.locals)}
	return ctx
}

// checkLocal reports a local value that does not exist.
func (b *block) checkLocal(t hcl.Traversal) {
	names := slices.Sorted(maps.Keys(b.locals))
	if len(t) < 2 || stepName(t[1]) == "" {
		return
	}
	name := stepName(t[1])
	if _, ok := b.locals[name]; ok || b.loader.broken {
		return
	}
	detail := "Define it: locals { " + name + " = … }"
	if len(names) > 0 {
		detail = "Local values are " + and(names) + "."
	}
	b.problem(t.SourceRange(), fmt.Sprintf("no local value `%s`%s", name, didYouMean(name, names)), detail)
}
