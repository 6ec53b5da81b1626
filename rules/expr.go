package rules

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// An expr is an expression that was checked when the rules were loaded, and
// is evaluated as often as needed after that. It is safe for concurrent use.
type expr struct {
	code  hclsyntax.Expression
	uses  uses             // the variables it mentions, but local
	base  *hcl.EvalContext // functions and local values
	want  cty.Type         // what it is converted to
	text  string           // as the user wrote it, in one line
	at    hcl.Range
	kind  cty.Type   // what it comes to, as far as is known beforehand
	value *cty.Value // set if it is constant
}

// constant reports whether e has the same value whatever happens.
func (e *expr) constant() bool { return e.value != nil }

// eval returns e's value, of the type e.want.
func (e *expr) eval(s *scope) (cty.Value, error) {
	if e.value != nil {
		return *e.value, nil
	}
	v, diags := e.code.Value(s.context(e))
	if diags.HasErrors() {
		return cty.NilVal, diagError(diags)
	}
	v, _ = v.UnmarkDeep()
	v, err := convert.Convert(asList(v), e.want)
	if err != nil {
		return cty.NilVal, err
	}
	if !v.IsWhollyKnown() {
		return cty.NilVal, fmt.Errorf("its value is not known")
	}
	return v, nil
}

// diagError makes an error of the first mistake in diags.
func diagError(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return fmt.Errorf("%s: %s", plainSummary(d), strings.TrimSuffix(d.Detail, "."))
		}
	}
	return diags
}

// str evaluates e to a string.
func (e *expr) str(s *scope) (string, error) {
	v, err := e.eval(s)
	if err != nil {
		return "", err
	}
	if v.IsNull() {
		return "", fmt.Errorf("it is null")
	}
	return v.AsString(), nil
}

// strs evaluates e to a list of strings, none of them null.
func (e *expr) strs(s *scope) ([]string, error) {
	v, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, fmt.Errorf("it is null")
	}
	var out []string
	for i, x := range elements(v) {
		if x.IsNull() {
			return nil, fmt.Errorf("element %d is null", i+1)
		}
		out = append(out, x.AsString())
	}
	return out, nil
}

// strMap evaluates e to a map of strings, none of them null.
func (e *expr) strMap(s *scope) (map[string]string, error) {
	v, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, nil
	}
	out := map[string]string{}
	for k, x := range v.Elements() {
		if x.IsNull() {
			return nil, fmt.Errorf("%s is null", k.AsString())
		}
		out[k.AsString()] = x.AsString()
	}
	return out, nil
}
