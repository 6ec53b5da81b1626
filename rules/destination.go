package rules

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// destinationParts takes a string with ${…} apart.
func destinationParts(code hclsyntax.Expression) ([]hclsyntax.Expression, bool) {
	switch code := code.(type) {
	case *hclsyntax.TemplateExpr:
		return code.Parts, true
	case *hclsyntax.TemplateWrapExpr:
		return []hclsyntax.Expression{code.Wrapped}, true
	}
	return nil, false
}

// constantPrefix returns the text with which e begins, if it begins with text.
func constantPrefix(e *expr) (string, bool) {
	parts, ok := destinationParts(e.code)
	if !ok || len(parts) == 0 {
		return "", false
	}
	lit, ok := parts[0].(*hclsyntax.LiteralValueExpr)
	if !ok || !isString(lit.Val) {
		return "", ok
	}
	return lit.Val.AsString(), true
}

// DestinationHint returns the destination with an x for each part that is not
// known beforehand: enough to tell a format by its ending.
func (t *Template) DestinationHint() string {
	if path, ok := t.constantDestination(); ok {
		return path
	}
	if t.destination == nil {
		return ""
	}
	parts, _ := destinationParts(t.destination.code)
	var b strings.Builder
	for _, part := range parts {
		if v, diags := part.Value(t.destination.base); !diags.HasErrors() && isString(v) {
			b.WriteString(v.AsString())
		} else {
			b.WriteByte('x')
		}
	}
	return b.String()
}

// path evaluates a destination. What the cluster has a say in must be a part
// of one path element: it chooses a file, never a directory.
func (e *expr) path(s *scope) (string, error) {
	if e.constant() {
		return e.value.AsString(), nil
	}
	parts, ok := destinationParts(e.code)
	if !ok {
		p, err := e.str(s)
		if err != nil {
			return "", err
		}
		return p, pathError(p)
	}
	ctx := s.context(e)
	var b strings.Builder
	for _, part := range parts {
		v, diags := part.Value(ctx)
		if diags.HasErrors() {
			return "", diagError(diags)
		}
		v, err := convert.Convert(v, cty.String)
		if err != nil || v.IsNull() {
			return "", fmt.Errorf("a part of the destination is not a string")
		}
		if reason := badElement(v.AsString()); reason != "" && networkNames(part) != "" {
			return "", fmt.Errorf("%s %s", quoted(v.AsString()), reason)
		}
		b.WriteString(v.AsString())
	}
	return b.String(), pathError(b.String())
}

func pathError(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", quoted(path))
	}
	if hint := badPath(path); hint != "" {
		return fmt.Errorf("%s cannot be a destination: %s", quoted(path), hint)
	}
	return nil
}

// badElement returns why s, which comes from the cluster, may not be a part
// of a path; "" if it may.
func badElement(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.Contains(s, "/"):
		return "holds a slash"
	case strings.HasPrefix(s, ".") || strings.Contains(s, ".."):
		return "begins with a dot or holds two"
	case strings.HasPrefix(s, "-"):
		return "begins with a hyphen"
	case len(s) > 200:
		return "is longer than 200 bytes"
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }):
		return "holds characters that do not belong in a file's name"
	}
	return ""
}

// badPath returns what is wrong with an absolute path; "" if nothing is.
func badPath(path string) string {
	switch {
	case strings.HasSuffix(path, "/"):
		return "It must name a file, not a directory."
	case filepath.Clean(path) != path:
		return fmt.Sprintf("Write it without detours: \"%s\".", printable(filepath.Clean(path)))
	case len(path) > 4000:
		return "It is too long."
	case strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path):
		return "It holds characters that do not belong in a path."
	}
	for element := range strings.SplitSeq(path, "/") {
		if len(element) > 255 {
			return "A file's name has 255 bytes at most."
		}
	}
	return ""
}
