package config

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

const (
	maxFile    = 64 << 10 // bytes
	maxNesting = 100      // HCL's parsers recurse: they overflow the stack on a file of "("
)

// parseHCL parses HCL's native syntax, within bounds.
func parseHCL(text []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	tokens, diags := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	open, signs := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			open--
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion:
			signs++ // these nest to the right; a file of constants has hardly any
		case hclsyntax.TokenNumberLit:
			// HCL computes with any exponent, and takes hours over a large one.
			if len(t.Bytes) > 20 || bytes.ContainsAny(t.Bytes, "eE") {
				return nil, mistake(t.Range, "this number is too large", "Write at most 20 digits, without an exponent.")
			}
		}
		if open > maxNesting || signs > maxNesting {
			return nil, tooDeep(t.Range)
		}
	}
	file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return file.Body.(*hclsyntax.Body), nil
}

// parseJSON parses a JSON object, within bounds. Strings are taken as they
// are when its values are evaluated without a context.
func parseJSON(text []byte, name string) (hcl.Attributes, hcl.Diagnostics) {
	open, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if open++; open > maxNesting {
				line := 1 + bytes.Count(text[:i], []byte("\n"))
				column := i - bytes.LastIndexByte(text[:i], '\n')
				at := hcl.Pos{Line: line, Column: column, Byte: i}
				return nil, tooDeep(hcl.Range{Filename: name, Start: at, End: hcl.Pos{Line: line, Column: column + 1, Byte: i + 1}})
			}
		case c == '}' || c == ']':
			open--
		}
	}
	file, diags := json.Parse(text, name)
	if diags.HasErrors() {
		return nil, diags
	}
	return file.Body.JustAttributes()
}

func tooDeep(at hcl.Range) hcl.Diagnostics {
	return mistake(at, fmt.Sprintf("nested more than %d levels deep", maxNesting), "")
}
