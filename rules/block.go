package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	if n, ok := body.(*hclsyntax.Body); ok {
		in.strangers(n)
	} else {
		schema = in.jsonStrangers(body, schema)
	}
	content, _, diags := body.PartialContent(schema)
	diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return in.reportLabels(d) })
	b.loader.diagnose(diags, b.rule)
	in.attrs, in.blocks = content.Attributes, content.Blocks
	return &in
}

// reportLabels says in our words what HCL says of a label too many or too few.
func (b *block) reportLabels(d *hcl.Diagnostic) bool {
	for kind, labels := range b.shape.blocks {
		switch d.Summary {
		case "Extraneous label for " + kind:
			b.problem(*d.Subject, fmt.Sprintf("`%s` takes no such name", kind), "Leave this one out.")
			return true
		case fmt.Sprintf("Missing name for %s", kind), fmt.Sprintf("Missing rule for %s", kind), fmt.Sprintf("Missing path for %s", kind):
			b.problem(*d.Subject, fmt.Sprintf("`%s` needs a %s", kind, labels[0]), fmt.Sprintf("Write %s \"%s\" { … }", kind, strings.ToUpper(labels[0])))
			return true
		}
	}
	return false
}

// jsonStrangers reports the properties that b's shape does not have. Of names
// that the schema has as attribute and as block it drops the attribute where
// the JSON means the block: where it is an object.
func (b *block) jsonStrangers(body hcl.Body, s *hcl.BodySchema) *hcl.BodySchema {
	attrs, diags := body.JustAttributes()
	if diags.HasErrors() {
		return s // PartialContent reports it
	}
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a hcl.AttributeSchema) bool {
		_, isBlock := b.shape.blocks[a.Name]
		return isBlock && attrs[a.Name] != nil && isObject(attrs[a.Name].Expr)
	})
	for name, attr := range attrs {
		if _, isBlock := b.shape.blocks[name]; !isBlock && !slices.Contains(b.shape.attrs, name) {
			b.stranger(name, attr.NameRange)
		}
	}
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
	for name, attr := range body.Attributes {
		_, isBlock := b.shape.blocks[name]
		switch {
		case slices.Contains(b.shape.attrs, name):
		case isBlock:
			b.problem(attr.NameRange, fmt.Sprintf("`%s` is a block, not a value", name), fmt.Sprintf("Leave out the equals sign: %s { … }", name))
		default:
			b.stranger(name, attr.NameRange)
		}
	}
	for _, bl := range body.Blocks {
		_, isBlock := b.shape.blocks[bl.Type]
		switch {
		case isBlock:
		case slices.Contains(b.shape.attrs, bl.Type):
			b.problem(bl.TypeRange, fmt.Sprintf("`%s` is a value, not a block", bl.Type), fmt.Sprintf("Write %s = …", bl.Type))
		default:
			b.stranger(bl.Type, bl.TypeRange)
		}
	}
}

// stranger reports a name that b's shape does not have.
func (b *block) stranger(name string, at hcl.Range) {
	all := slices.AppendSeq(slices.Clone(b.shape.attrs), maps.Keys(b.shape.blocks))
	slices.Sort(all)
	all = slices.Compact(all)
	detail := "It may have " + and(all) + "."
	if h := b.shape.hints[name]; h != "" {
		detail = h
	}
	b.problem(at, fmt.Sprintf("%s has no `%s`%s", b.shape.what, printable(name), didYouMean(name, all)), detail)
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
			fmt.Sprintf("There is one at most; the first is at %s.", placeOf(all[0].DefRange)))
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
