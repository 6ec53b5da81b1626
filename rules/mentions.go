package rules

import (
	"iter"

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

// fileCommands yields the commands that have to do with r's files, each behind
// what it is for.
func (r *Rule) fileCommands() iter.Seq2[string, *Command] {
	return func(yield func(string, *Command) bool) {
		_ = (r.Check == nil || yield("check", &r.Check.Command)) &&
			(r.Reload == nil || yield("reload", r.Reload)) &&
			(r.Verify == nil || r.Verify.Command == nil || yield("verify", r.Verify.Command))
	}
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
