package templates

import "strings"

// Varnish's VCL, after vcc_Lexer in lib/libvcc/vcc_token.c: strings in double
// quotes have no escapes and end with the line; {"…"} and """…""" hold line
// breaks; #, // and /* */ are comments. Names tell no capitals apart.
const (
	vcStart  state = iota // before a word
	vcMid                 // in a bare word
	vcEither              // before or in a word: branches differ
	vcDouble              // in double quotes
	vcLong                // in {" "}
	vcTriple              // in """ """
	vcAfter               // right after a closing quote
	vcLine                // after # or //
	vcBlock               // in /* */
)

// The context's arg is the character before, where it may begin something with
// the next: / { C in code, " in long strings, * in comments. Its col counts
// the quotes right before, in vcDouble, vcAfter and vcTriple; in code it is 1
// right after a value. Its word is the one before; depth is 1 in a word that
// names something.

var (
	vclBare   = chars(alnum + "_-.")
	vclName   = chars(alnum + "_-")
	vclString = allBut("\"")
	vclLong   = allBut("\"").and("\n\r\t")
	vclBlock  = allBut("*/")
)

func vclGrammar() *grammar {
	return &grammar{
		scan: scanVCL, after: afterVCL, print: printVCL,
		join: func(a, b context) (context, bool) {
			joinWords(&a, &b)
			if a.state <= vcEither && b.state <= vcEither {
				if a.state != b.state {
					a.state, b.state = vcEither, vcEither
				}
				a.col, b.col = max(a.col, b.col), max(a.col, b.col)
				a.depth, b.depth = max(a.depth, b.depth), max(a.depth, b.depth)
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "at a word", "in double quotes", "in a long string",
				"in a long string", "after a closing quote", "in a comment", "in a comment"}[c.state]
		},
	}
}

func scanVCL(c context, s string) context {
	for i := range len(s) {
		if c = stepVCL(c, s[i]); c.state == lost {
			break
		}
	}
	return c
}

func stepVCL(c context, b byte) context {
	before, quotes := c.arg, c.col
	c.arg, c.col = 0, 0
	switch c.state {
	case vcLine:
		if b == '\n' {
			c.state = vcStart
		}
	case vcBlock:
		switch {
		case before == '*' && b == '/':
			c.state = vcStart
		case b == '*':
			c.arg = b
		}
	case vcDouble:
		if b == '"' {
			c.state, c.col = vcAfter, quotes
		}
	case vcLong:
		switch {
		case before == '"' && b == '}':
			c.state = vcAfter
		case b == '"':
			c.arg = b
		}
	case vcTriple:
		if b == '"' {
			c.col = quotes + 1
		}
		if c.col == 3 {
			c.state, c.col = vcAfter, 0
		}
	case vcAfter:
		switch {
		case b != '"':
			c.state, c.word = vcStart, ""
			return stepVCLCode(c, b, 0)
		case quotes == 0:
			return context{state: lost, word: "a string follows another without a + between"}
		}
		c.state = vcTriple
	default:
		if quotes > 0 && b == '"' {
			return context{state: lost, word: "a string follows a value without a + between"}
		}
		return stepVCLCode(c, b, before)
	}
	return c
}

func stepVCLCode(c context, b, before byte) context {
	switch {
	case b == '"' && before == '{':
		c.state = vcLong
	case b == '"':
		c.state, c.col = vcDouble, 1
	case b == '#', b == '/' && before == '/':
		c.state = vcLine
	case b == '*' && before == '/':
		c.state = vcBlock
	case b == '{' && before == 'C':
		return context{state: lost, word: "C in VCL is not followed"}
	case vclBare.has(b):
		if c.state == vcStart {
			c.depth, c.word = btoi(naming(c.word)), ""
			if b == 'C' {
				c.arg = b
			}
		}
		c.state = vcMid
		if len(c.word) < 32 {
			c.word += string(b)
		}
	default:
		c.state = vcStart
		if b == '/' || b == '{' {
			c.arg = b
		}
		if !isBlank(b) && b != '\n' {
			c.word, c.depth = "", 0
		}
	}
	return c
}

// naming reports whether a name of the file's own follows word.
func naming(word string) bool {
	switch word {
	case "backend", "probe", "acl", "sub", "new":
		return true
	}
	return false
}

func afterVCL(c context) (context, string) {
	switch {
	case c.state == vcAfter:
		return c, "right after a closing quote"
	case c.state == vcLong && c.arg == '"', c.state == vcTriple && c.col > 0:
		return c, "right after a quote"
	case c.state == vcBlock && c.arg == '*':
		return c, "right after a *"
	case c.state <= vcEither:
		if c.state == vcStart {
			c.depth = btoi(naming(c.word))
		}
		c.state, c.word, c.col = vcMid, unknown, 1
	default:
		c.col = 0
	}
	c.arg = 0
	return c, ""
}

func printVCL(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state == vcStart {
		if at.arg == '{' {
			return dst, "a quote right after a { begins a long string"
		}
		dst = append(append(append(dst, '"'), v.text...), '"')
		return dst, refused(v.text, vclString, unhidden, "in a string of VCL")
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	dst = append(dst, s...)
	switch at.state {
	case vcLine:
		return dst, comment(s)
	case vcBlock:
		if why := comment(s); why != "" {
			return dst, why
		}
		return dst, refused(s, vclBlock, unhidden, "between /* and */")
	case vcDouble:
		return dst, refused(s, vclString, unhidden, "in a string of VCL")
	case vcLong, vcTriple:
		return dst, refused(s, vclLong, unhidden, "in a long string of VCL")
	}
	return dst, wordVCL(at.context, s)
}

// wordVCL says why s cannot be a word, or a part of one, or "".
func wordVCL(c context, s string) string {
	begins := c.state != vcMid
	name := c.depth == 1
	if c.state == vcStart {
		name = naming(c.word)
	}
	switch {
	case begins && s == "":
		return "it is empty, and a word would be missing"
	case begins && s == "C":
		return "C followed by a brace begins C code"
	case begins && (s[0] == '-' || s[0] == '.'): // a number too: to VCL it is an operator, and a number
		return "a word of VCL begins with a letter or a digit"
	case name && begins && !strings.Contains(letters, s[:1]):
		return "a name of VCL begins with a letter"
	case name:
		return refused(s, vclName, onlyASCII, "in a name of VCL")
	}
	return refused(s, vclBare, onlyASCII, "in a bare word of VCL")
}
