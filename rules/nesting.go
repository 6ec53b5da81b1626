package rules

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxNesting bounds brackets within brackets: HCL's parser and evaluator
// recurse, and overflow the stack on a file of a few hundred kB of "(".
const maxNesting = 100

// maxExponent bounds numbers: to print 1e10000000 takes half a minute.
const maxExponent = 400

// checkTokens refuses native HCL that would be too deep for the parser.
func checkTokens(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	type level struct{ close, ternaries int }
	levels := make([]level, 1, 16)
	var unary, directives, ternaries int
	for _, t := range tokens {
		top := &levels[len(levels)-1]
		switch t.Type {
		case hclsyntax.TokenBang, hclsyntax.TokenMinus:
			unary++
		default:
			unary = 0
		}
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			levels = append(levels, level{close: int(t.Type)})
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(levels) > 1 {
				ternaries -= top.ternaries
				levels = levels[:len(levels)-1]
			}
		case hclsyntax.TokenQuestion:
			top.ternaries++
			ternaries++
		case hclsyntax.TokenComma, hclsyntax.TokenNewline:
			if t.Type == hclsyntax.TokenComma || top.close == 0 || top.close == int(hclsyntax.TokenOBrace) {
				ternaries -= top.ternaries
				top.ternaries = 0
			}
		case hclsyntax.TokenIdent:
			directives += directive(top.close, string(t.Bytes))
		case hclsyntax.TokenNumberLit:
			if tooBig(string(t.Bytes)) {
				return bound("this number is too large", "A number's exponent may be at most "+strconv.Itoa(maxExponent)+".", t.Range)
			}
		}
		if len(levels)-1+unary+ternaries+directives > maxNesting {
			return bound(fmt.Sprintf("nested more than %d levels deep", maxNesting),
				"Take it apart: give inner expressions a name in a `locals` block.", t.Range)
		}
	}
	return nil
}

// directive returns by how much a word deepens the nesting of %{…} directives.
func directive(opened int, word string) int {
	if opened != int(hclsyntax.TokenTemplateControl) {
		return 0
	}
	switch word {
	case "if", "for":
		return 1
	case "endif", "endfor":
		return -1
	}
	return 0
}

// checkJSON refuses JSON that would be too deep for the parser.
func checkJSON(src []byte, filename string) *hcl.Diagnostic {
	depth := 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			i = endOfString(src, i)
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c >= '0' && c <= '9':
			n := numberLength(src[i:])
			if tooBig(string(src[i : i+n])) {
				return bound("this number is too large", "A number's exponent may be at most "+strconv.Itoa(maxExponent)+".", rangeAt(src, filename, i, n))
			}
			i += n - 1
		}
		if depth > maxNesting {
			return bound(fmt.Sprintf("nested more than %d levels deep", maxNesting), "", rangeAt(src, filename, i, 1))
		}
	}
	return nil
}

// endOfString returns the offset of the quote that ends the string at start.
func endOfString(src []byte, start int) int {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(src)
}

func numberLength(b []byte) int {
	return len(b) - len(bytes.TrimLeft(b, "0123456789.eE+-"))
}

func rangeAt(src []byte, filename string, offset, length int) hcl.Range {
	line := 1 + bytes.Count(src[:offset], []byte("\n"))
	column := offset - bytes.LastIndexByte(src[:offset], '\n')
	return hcl.Range{
		Filename: filename,
		Start:    hcl.Pos{Line: line, Column: column, Byte: offset},
		End:      hcl.Pos{Line: line, Column: column + length, Byte: offset + length},
	}
}

func bound(summary, detail string, r hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}
}
