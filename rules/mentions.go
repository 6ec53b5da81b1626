package rules

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Mentions returns the texts in the commands that check and reload r's files, as
// far as they are known beforehand, and the names that the commands are called
// by: enough to tell which program the files are for.
func (r *Rule) Mentions() []string {
	var all []string
	for _, c := range r.fileCommands() {
		if c.Consumer != "" {
			all = append(all, c.Consumer)
		}
		if c.argv != nil {
			all = append(all, c.argv.texts()...)
		}
	}
	return all
}

// fileCommands returns the commands that have to do with r's files.
func (r *Rule) fileCommands() (all []*Command) {
	if r.Check != nil {
		all = append(all, &r.Check.Command)
	}
	if r.Reload != nil {
		all = append(all, r.Reload)
	}
	if r.Verify != nil && r.Verify.Command != nil {
		all = append(all, r.Verify.Command)
	}
	return all
}

// texts returns the texts that e is made of, but for those that are only known
// when it is evaluated.
func (e *expr) texts() (all []string) {
	if e.constant() {
		all, _ = e.strs(&scope{})
		return all
	}
	hclsyntax.VisitAll(e.code, func(n hclsyntax.Node) hcl.Diagnostics {
		switch x := n.(type) {
		case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr:
			if v, diags := x.(hclsyntax.Expression).Value(e.base); !diags.HasErrors() && isString(v) {
				all = append(all, v.AsString())
			}
		}
		return nil
	})
	return all
}
