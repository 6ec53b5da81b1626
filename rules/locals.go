package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// maxLocal bounds what one local value may come to, in bytes of strings:
// values that double each other would fill the memory.
const maxLocal = 256 << 10

// roots opens every file and works out the local values of the set.
func (l *loader) roots() []*block {
	var roots []*block
	var defs []*hcl.Block
	owner := map[*hcl.Block]*block{}
	for _, f := range l.files {
		b := &block{loader: l, file: f, locals: l.locals}
		s := shape{what: "a rule file", blocks: map[string][]string{"rule": {"name"}, "locals": nil},
			hints: map[string]string{
				"test":     "Tests stand in files of their own, called *.test.hcl.",
				"template": "It stands in a rule, with its members, check and reload: rule \"NAME\" { template { … } }",
				"cluster":  "It belongs in muster.hcl, not into the rules directory.",
			}}
		if f.test {
			s = shape{what: "a test file", blocks: map[string][]string{"test": {"name"}, "locals": nil},
				hints: map[string]string{"rule": "Rules stand in other files: *.test.hcl holds only tests."}}
		}
		root := b.open(f.body, hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}, s)
		roots = append(roots, root)
		for _, c := range root.children("locals") {
			defs, owner[c] = append(defs, c), root
		}
	}
	readLocals(defs, func(c *hcl.Block) *block { return owner[c] })
	return roots
}

// A local is one definition in a locals block.
type local struct {
	block *block
	attr  *hcl.Attribute
	state int // 0 untouched, 1 being worked out, 2 done
}

// readLocals works out the values of locals blocks, in whatever order they
// stand, into the locals of their owners.
func readLocals(defs []*hcl.Block, owner func(*hcl.Block) *block) {
	all := map[string]*local{}
	for _, c := range defs {
		b := owner(c)
		attrs, diags := c.Body.JustAttributes()
		b.loader.diagnose(diags, b.rule)
		for _, name := range slices.Sorted(maps.Keys(attrs)) {
			if first := all[name]; first != nil {
				b.problem(attrs[name].NameRange, fmt.Sprintf("local value `%s` is defined twice", name),
					fmt.Sprintf("The first is at %s.", placeOf(first.attr.NameRange)))
				continue
			}
			all[name] = &local{block: b, attr: attrs[name]}
			b.locals[name] = cty.DynamicVal // known by name, whatever its value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		all[name].workOut(name, all)
	}
}

func (d *local) workOut(name string, all map[string]*local) {
	if d.state == 2 {
		return
	}
	d.state = 1
	code, diags := native(d.attr.Expr)
	if !diags.HasErrors() {
		for _, t := range code.Variables() {
			if t.RootName() != "local" || len(t) < 2 {
				continue
			}
			switch other := all[stepName(t[1])]; {
			case other == nil:
			case other.state == 1:
				d.block.problem(t.SourceRange(), fmt.Sprintf("local value `%s` depends on itself", name), "")
			default:
				other.workOut(stepName(t[1]), all)
			}
		}
	}
	if e := d.block.compile(d.attr.Expr, spec{what: "the local value `" + name + "`", want: cty.DynamicPseudoType}); e != nil && e.constant() {
		if weight(*e.value) > maxLocal {
			d.block.problem(d.attr.Expr.Range(), fmt.Sprintf("local value `%s` is larger than %d KiB", name, maxLocal>>10), "")
		} else {
			d.block.locals[name] = *e.value
		}
	}
	d.state = 2
}

// weight returns roughly how many bytes v holds.
func weight(v cty.Value) int {
	if v.IsNull() || !v.IsKnown() {
		return 1
	}
	if v.Type() == cty.String {
		return len(v.AsString())
	}
	n := 1
	if v.CanIterateElements() {
		for k, e := range v.Elements() {
			n += weight(k) + weight(e)
		}
	}
	return n
}
