package config

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"muster/rules"
)

// Types of fields that need more than storing a value.
type (
	inverse bool              // the opposite of what is written
	roleTag map[string]string // tags, of which role is written
)

// decode puts the value of an expression where field points to. An empty
// string and null say nothing. Lists are added to what is there, tags merged
// into it. There is nothing for an expression to refer to.
func decode(name string, expr hcl.Expression, field any) hcl.Diagnostics {
	if v, bad := expr.Value(nil); !bad.HasErrors() && v.IsNull() {
		return nil
	}
	switch p := field.(type) {
	case *[]string:
		list, diags := stringList(name, expr)
		*p = append(*p, list...)
		return diags
	case *[]rules.Handler:
		return eachString(name, expr, func(line string) error { return parse(line, p) })
	case *map[string]string:
		tags, diags := tagMap(name, expr)
		if *p == nil {
			*p = map[string]string{}
		}
		maps.Copy(*p, tags)
		return diags
	}
	v, diags := constant(expr)
	if diags.HasErrors() || v.IsNull() {
		return diags
	}
	kind, want, hint := cty.String, "a string", "Write it in quotes."
	switch field.(type) {
	case *bool, *inverse:
		kind, want, hint = cty.Bool, "true or false", ""
	case *int:
		kind, want, hint = cty.Number, "a number", ""
	case *time.Duration:
		want, hint = `a duration`, `Write a number and its unit in quotes: "30s", "5m".`
	case *fs.FileMode:
		want, hint = `a file mode`, `Write it in octal and in quotes: "0660".`
	}
	if v.Type() != kind {
		return mistake(expr.Range(), fmt.Sprintf("%s must be %s, not %s", name, want, typeName(v.Type())), hint)
	}
	text := plain(v)
	if text == "" && kind == cty.String {
		return nil
	}
	if text == "" {
		return mistake(expr.Range(), name+": this number is too large", "")
	}
	if err := parse(text, field); err != nil {
		return mistake(expr.Range(), fmt.Sprintf("%s: %v", name, err), "")
	}
	return nil
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType():
		return "a list"
	}
	return "a map"
}

// plain writes a string, number or bool as a flag's value is written; a
// number that takes more than some 300 digits as an empty string.
func plain(v cty.Value) string {
	if v.Type() == cty.Number {
		if exp := v.AsBigFloat().MantExp(nil); exp > 1000 || exp < -1000 {
			return ""
		}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		return ""
	}
	return s.AsString()
}

// mistake is a diagnostic of ours.
func mistake(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

// constant evaluates an expression that refers to nothing.
func constant(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(nil)
	if !diags.HasErrors() && v.IsWhollyKnown() {
		v, _ = v.Unmark()
		return v, nil
	}
	if vars := expr.Variables(); len(vars) > 0 {
		return cty.NilVal, mistake(vars[0].SourceRange(), fmt.Sprintf("nothing is called %q here", vars[0].RootName()),
			"Values in this file are constants. If it is text, put it in quotes; where the text itself has ${, write $${.")
	}
	if !diags.HasErrors() {
		diags = mistake(expr.Range(), "this has no value", "")
	}
	return cty.NilVal, diags
}

func stringList(name string, expr hcl.Expression) (list []string, diags hcl.Diagnostics) {
	diags = eachString(name, expr, func(s string) error { list = append(list, s); return nil })
	return list, diags
}

// eachString takes the strings of a list one by one.
func eachString(name string, expr hcl.Expression, take func(string) error) (diags hcl.Diagnostics) {
	items, bad := hcl.ExprList(expr)
	if bad.HasErrors() {
		return mistake(expr.Range(), name+" must be a list of strings", `Write it in brackets: ["…", "…"].`)
	}
	for _, item := range items {
		v, bad := constant(item)
		switch {
		case bad.HasErrors():
			diags = append(diags, bad...)
		case v.IsNull() || v.Type() != cty.String || v.AsString() == "":
			diags = append(diags, mistake(item.Range(), name+" must be a list of strings, none of them empty", "")...)
		default:
			if err := take(v.AsString()); err != nil {
				diags = append(diags, mistake(item.Range(), err.Error(), "")...)
			}
		}
	}
	return diags
}

// tagMap reads tags. A value is a string, a number, true or false; a list of
// such is joined with commas.
func tagMap(name string, expr hcl.Expression) (map[string]string, hcl.Diagnostics) {
	pairs, bad := hcl.ExprMap(expr)
	if bad.HasErrors() {
		return nil, mistake(expr.Range(), name+" must be a map of strings", `Write it in braces: { role = "web" }.`)
	}
	tags := map[string]string{}
	var diags hcl.Diagnostics
	for _, pair := range pairs {
		k, badKey := constant(pair.Key)
		v, badValue := constant(pair.Value)
		if badKey.HasErrors() || badValue.HasErrors() {
			diags = append(append(diags, badKey...), badValue...)
			continue
		}
		text, ok := tagValue(v)
		switch _, twice := tags[plain(k)]; {
		case !ok:
			diags = append(diags, mistake(pair.Value.Range(), fmt.Sprintf("tag %s must be a string or a list of strings", plain(k)), "")...)
		case twice:
			diags = append(diags, mistake(pair.Key.Range(), fmt.Sprintf("tag %s is there twice", plain(k)), "")...)
		}
		tags[plain(k)] = text
	}
	return tags, diags
}

func tagValue(v cty.Value) (text string, ok bool) {
	if v.IsNull() {
		return "", false
	}
	if !v.Type().IsTupleType() {
		return plain(v), v.Type().IsPrimitiveType()
	}
	items := make([]string, 0, v.LengthInt())
	for _, item := range v.AsValueSlice() {
		if item.IsNull() || !item.Type().IsPrimitiveType() {
			return "", false
		}
		items = append(items, plain(item))
	}
	return strings.Join(items, ","), true
}
