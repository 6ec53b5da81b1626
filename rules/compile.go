package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A spec says what an expression may mention and what it must come to.
type spec struct {
	what    string   // as in "`wait`"
	allowed uses     // variables it may mention, beside local
	want    cty.Type // what its value must be
	each    cty.Type // the type of each.value; zero: any
}

// compile checks e against s and returns it ready to evaluate; nil if there
// is a mistake in it, which is then reported.
func (b *block) compile(e hcl.Expression, s spec) *expr {
	l := b.loader
	code, diags := native(e)
	if diags.HasErrors() {
		l.diagnose(diags, b.rule)
		return nil
	}
	before := len(l.problems)
	out := &expr{code: code, base: b.base(), want: s.want, at: e.Range(), text: l.sourceText(e.Range())}
	out.uses = b.checkVariables(code, s)
	b.checkFunctions(code)
	if len(l.problems) > before {
		return nil
	}
	if s.allowed&useMember != 0 && s.allowed&useMembers != 0 && !hides(code) {
		out.code = hoist(code)
	}
	adapt(out.code, l.functions)
	if !b.tryOut(out, s) {
		return nil
	}
	return out
}

// checkVariables reports each variable in code that does not exist or has no
// meaning there, and returns the others.
func (b *block) checkVariables(code hclsyntax.Expression, s spec) (used uses) {
	literal := inTemplates(code)
	for _, t := range code.Variables() {
		name, rng := t.RootName(), t.SourceRange()
		v, known := variables[name]
		switch {
		case !known:
			b.unknownVariable(t, literal[rng])
		case v.use == useLocal:
			b.checkLocal(t)
		case v.use&s.allowed == 0:
			b.problem(rng, fmt.Sprintf("`%s` has no meaning in %s", name, s.what), b.outOfScope(v, s))
		default:
			used |= v.use
			b.checkSteps(t, v)
		}
	}
	return used
}

// hides reports whether a loop in code gives its variable the name of one of
// ours that is the same for all members.
func hides(code hclsyntax.Expression) bool {
	hidden := false
	hclsyntax.VisitAll(code, func(n hclsyntax.Node) hcl.Diagnostics {
		if f, ok := n.(*hclsyntax.ForExpr); ok {
			for _, name := range []string{f.KeyVar, f.ValVar} {
				hidden = hidden || name == "members" || name == "self" || name == "local"
			}
		}
		return nil
	})
	return hidden
}

// outOfScope says what to do about a variable where it has no meaning.
func (b *block) outOfScope(v variable, s spec) string {
	if s.allowed == 0 {
		return v.remedy + "\nThis value is read once, when the rules are loaded: of variables it may use only local.NAME."
	}
	return v.remedy
}

func (b *block) unknownVariable(t hcl.Traversal, inTemplate bool) {
	name, detail := t.RootName(), "Expressions know "+and(slices.Sorted(maps.Keys(variables)))+"."
	suggestion := didYouMean(name, slices.Sorted(maps.Keys(variables)))
	if inTemplate {
		detail = fmt.Sprintf("HCL reads ${…} in every string. If `${%s}` is text for nginx, a shell or another program, write `$${%s}`.",
			traversalText(t), traversalText(t))
	} else if len(t) == 1 && suggestion == "" {
		detail = fmt.Sprintf("A text needs quotes: \"%s\". ", name) + detail
	}
	b.problem(t.SourceRange(), fmt.Sprintf("no variable `%s`%s", name, suggestion), detail)
}

// checkSteps reports an attribute that v, or a member in it, does not have.
func (b *block) checkSteps(t hcl.Traversal, v variable) {
	if len(t) < 2 || v.attrs == nil {
		return
	}
	name := stepName(t[1])
	if name == "" || slices.Contains(v.attrs, name) {
		return
	}
	hint := fmt.Sprintf("`%s` has %s.", t.RootName(), and(v.attrs))
	if slices.Contains(v.attrs, "tags") {
		hint += fmt.Sprintf(" For the tag `%s` write `%s.tags.%s`.", name, t.RootName(), name)
	}
	b.problem(t.SourceRange(), fmt.Sprintf("`%s` has no attribute `%s`%s", t.RootName(), name, didYouMean(name, v.attrs)), hint)
}

// checkFunctions reports functions that do not exist, and reads what file()
// asks for, so that evaluation later touches no disk.
func (b *block) checkFunctions(code hclsyntax.Expression) {
	names := append(slices.Sorted(maps.Keys(b.loader.functions)), "file")
	hclsyntax.VisitAll(code, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		switch {
		case !ok:
		case call.Name == "file":
			b.preload(call)
		case !slices.Contains(names, call.Name):
			b.problem(call.NameRange, fmt.Sprintf("no function `%s`%s", call.Name, didYouMean(call.Name, names)),
				"docs/language.md lists the functions.")
		}
		return nil
	})
}

// tryOut evaluates e: for good if it is constant, else with unknown values of
// the right types, which finds most mistakes that are not about the values.
func (b *block) tryOut(e *expr, s spec) bool {
	ctx, _ := child(e.base, unknowns(e.uses, s.each))
	v, diags := e.code.Value(ctx)
	if e.uses&(useMembers|useEach) != 0 && !diags.HasErrors() {
		diags = append(diags, memberMistakes(e, ctx)...)
	}
	if diags.HasErrors() {
		b.loader.diagnose(diags, b.rule)
		return false
	}
	v, _ = v.UnmarkDeep()
	converted, err := convert.Convert(v, s.want)
	if err != nil {
		b.mismatch(e, s, v, err)
		return false
	}
	e.kind = converted.Type()
	if e.uses == 0 {
		if !converted.IsWhollyKnown() {
			return false // it mentions a local value that is itself mistaken
		}
		e.value = &converted
	}
	return true
}

// memberMistakes evaluates e with a list of one unknown member where it may
// list members: HCL does not look into [for m in members : …] while it knows
// nothing of the list. Of what it says, only that counts which holds for a
// list of any length.
func memberMistakes(e *expr, ctx *hcl.EvalContext) hcl.Diagnostics {
	one := ctx.NewChild()
	one.Variables = map[string]cty.Value{"members": cty.ListVal([]cty.Value{cty.UnknownVal(memberType).RefineNotNull()})}
	if e.uses&useEach != 0 {
		each := ctx.Variables["each"].AsValueMap()
		if each["value"].Type().Equals(cty.List(memberType)) {
			each["value"] = one.Variables["members"]
		}
		one.Variables["each"] = cty.ObjectVal(each)
	}
	_, diags := e.code.Value(one)
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Extra != memberMistake{} })
}

// unknowns returns the variables that u names, without values.
func unknowns(u uses, each cty.Type) map[string]cty.Value {
	vars := map[string]cty.Value{}
	for _, name := range u.names() {
		vars[name] = cty.UnknownVal(variables[name].kind).RefineNotNull()
	}
	if u&useEach != 0 {
		if each == cty.NilType {
			each = cty.DynamicPseudoType
		}
		vars["each"] = cty.ObjectVal(map[string]cty.Value{
			"key": cty.UnknownVal(cty.String).RefineNotNull(), "value": cty.UnknownVal(each)})
	}
	return vars
}

// mismatch reports that e has the wrong type, with the remedy where the
// mistake is a common one.
func (b *block) mismatch(e *expr, s spec, got cty.Value, err error) {
	summary := fmt.Sprintf("%s must be %s", s.what, typeName(s.want))
	detail := fmt.Sprintf("It is %s here: %s.", typeName(got.Type()), err)
	if isString(got) && s.want.IsListType() {
		detail = "Write it as a list: " + quoteList(strings.Fields(got.AsString())) + "."
	}
	b.loader.report(Problem{Severity: Error, Rule: b.rule, Summary: summary, Detail: detail}, e.code.Range())
}

// typeName names t as a user would.
func typeName(t cty.Type) string {
	switch {
	case t == cty.Bool:
		return "true or false"
	case t == cty.DynamicPseudoType:
		return "a value"
	case t.IsTupleType():
		return "a list"
	case t.IsObjectType():
		return "an object"
	case t.IsListType() && t.ElementType() == memberType:
		return "a list of members"
	case t.Equals(cty.List(cty.String)):
		return "a list of strings"
	case t.Equals(cty.Map(cty.String)):
		return "an object of strings"
	}
	return "a " + t.FriendlyNameForConstraint()
}

// inTemplates returns the places of all that stands in ${…} within a string.
func inTemplates(code hclsyntax.Expression) map[hcl.Range]bool {
	in := map[hcl.Range]bool{}
	hclsyntax.VisitAll(code, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.TemplateExpr:
			for _, part := range n.Parts {
				in[part.Range()] = true
			}
		case *hclsyntax.TemplateWrapExpr:
			in[n.Wrapped.Range()] = true
		}
		return nil
	})
	return in
}

// traversalText writes t as far as it consists of plain names.
func traversalText(t hcl.Traversal) string {
	text := t.RootName()
	for _, step := range t[1:] {
		if name := stepName(step); name != "" {
			text += "." + name
		}
	}
	return text
}

func isString(v cty.Value) bool {
	return v.Type() == cty.String && v.IsKnown() && !v.IsNull()
}
