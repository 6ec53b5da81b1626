package templates

import "strings"

// YAML 1.2.2, with YAML 1.1's idea of booleans. Where a whole scalar stands, a
// value is printed plain if that cannot be misread, else in double quotes; in
// a part of a plain scalar only what is plain everywhere is allowed.
const (
	ymLine    state = iota // at a line's beginning, before the first word
	ymDash                 // right after a - or ? there
	ymStart                // before a scalar
	ymMid                  // in a plain scalar
	ymSpace                // after a space in a plain scalar
	ymEither               // before or in a plain scalar: branches differ
	ymProp                 // in an anchor, an alias or a tag
	ymColon                // right after a colon that may end a key
	ymClosed               // after a closing quote or bracket
	ymDouble               // in double quotes
	ymSingle               // in single quotes
	ymQuote                // after a quote in single quotes: the end or a half
	ymComment              // after #
	ymHead                 // after the | or > of a block scalar
	ymIndent               // before a line of a block scalar
	ymBlock                // in a line of a block scalar
	ymMark                 // after the --- or ... of a document
)

// The context's depth counts brackets. col is the column of a line's first
// word behind its dashes, arg says whether there is a dash or a key before,
// and base is the column of the last dash or, where there is none, of the key
// or dash of a line above: it is on one of these that a node hangs.
const (
	ymDashed uint8 = iota + 1
	ymKey
)

func yamlGrammar() *grammar {
	return &grammar{
		start: context{base: -1, fold: noFold},
		scan:  scanYAML, after: afterYAML, afterRaw: afterRawYAML, print: printYAML, ends: endsYAML, join: joinYAML, limit: limitYAML,
		where: func(c context) string {
			return [...]string{"at the beginning of a line", "after a dash", "before a scalar", "in a plain scalar",
				"in a plain scalar", "at a plain scalar", "in a tag or an anchor", "after a colon",
				"after a closing quote or bracket", "in double quotes", "in single quotes",
				"after a single quote", "in a comment", "in the head of a block scalar",
				"in a block scalar", "in a block scalar", "after --- or ..."}[c.state]
		},
	}
}

func joinYAML(a, b context) (context, bool) {
	if a.state >= ymHead || b.state >= ymHead {
		if a.base != b.base || (a.col > a.base) != (b.col > b.base) {
			return a, false
		}
	} else if a.arg != b.arg || a.col != b.col || a.base != b.base {
		a.base = min(parentYAML(a), parentYAML(b))
		b.base, a.arg, b.arg = a.base, 0, 0
	}
	if a.state <= ymClosed && b.state <= ymClosed {
		joinFolds(&a, &b)
		if a.state != b.state || a.state == ymLine && a.col != b.col {
			a.state, b.state = ymEither, ymEither
		}
	}
	a.col, b.col = min(a.col, b.col), min(a.col, b.col)
	return a, a == b
}

// hangYAML returns the column that a node at c hangs on.
func hangYAML(c context) int {
	if c.arg == ymKey {
		return c.col
	}
	return c.base
}

// parentYAML returns the column that a node in the lines after c hangs on.
func parentYAML(c context) int {
	if c.state == ymColon || c.state == ymDash {
		return c.col
	}
	return hangYAML(c)
}

func scanYAML(c context, s string) context {
	for i := 0; i < len(s) && c.state != lost && c.state != barred; i++ {
		if n := markYAML(c, s[i:]); n > 0 {
			c = context{state: ymMark, arg: ymDashed, base: -1, fold: noFold}
			i += n - 1
			continue
		}
		c = stepYAML(c, s[i])
	}
	return c
}

// markYAML returns how long the --- or ... is that s, at c, begins with, or
// may begin with.
func markYAML(c context, s string) int {
	if c.col > 0 || c.depth > 0 || c.state != ymLine && c.state != ymIndent {
		return 0
	}
	n := 0
	for n < min(len(s), 3) && (s[n] == '-' || s[n] == '.') && s[n] == s[0] {
		n++
	}
	if n < 2 || n < len(s) && (n < 3 || !isBlank(s[n]) && s[n] != '\n') {
		return 0
	}
	return n
}

func stepYAML(c context, b byte) context {
	if b == '\n' {
		return lineYAML(c)
	}
	switch c.state {
	case ymLine:
		return startLineYAML(c, b)
	case ymDash:
		if isBlank(b) {
			c.state, c.base, c.arg = ymLine, c.col, ymDashed
			c.col += 2
			return c
		}
		return stepYAML(inPlain(c), b)
	case ymDouble:
		switch {
		case c.tail == tailEscape:
			c.tail = noTail
		case b == '\\':
			c.tail = tailEscape
		case b == '"':
			c.state, c.tail = ymClosed, noTail
		case b != '-' && b != '.':
			c.tail = noTail
		}
	case ymSingle:
		if b == '\'' {
			c.state, c.tail = ymQuote, noTail
		} else if b != '-' && b != '.' {
			c.tail = noTail
		}
	case ymQuote:
		if c.state = ymSingle; b != '\'' {
			c.state = ymClosed
			return stepYAML(c, b)
		}
	case ymIndent:
		switch {
		case b == ' ':
			c.col++
		case c.col > c.base:
			c.state = ymBlock
		default:
			c.state, c.base = ymLine, -1
			return startLineYAML(c, b)
		}
	case ymMark:
		if !isBlank(b) {
			return context{state: lost, word: "it is not clear whether a line begins with --- or ..."}
		}
		c.state = ymStart
	case ymComment, ymHead, ymBlock:
	default:
		return plainYAML(c, b)
	}
	return c
}

// lineYAML returns the context after a line's end.
func lineYAML(c context) context {
	switch c.state {
	case ymDouble, ymSingle:
		c.tail = tailLine
		return c
	case ymHead, ymIndent, ymBlock:
		c.state, c.col = ymIndent, 0
		return c
	case ymLine, ymMid, ymSpace, ymEither:
		c.plain &^= plainNear | plainNext
	default:
		c = ended(c)
	}
	c.base = parentYAML(c)
	c.state, c.arg, c.col = ymLine, 0, 0
	return c
}

func startLineYAML(c context, b byte) context {
	switch {
	case b == '\t' && c.depth == 0 && c.fold != noFold: // fit for a plain scalar's lines alone
		return further(c, false)
	case isBlank(b):
		c.col++
		return c
	case goesOn(c) && b != '#' && (c.depth == 0 || strings.IndexByte(",]}", b) < 0):
		return plainYAML(further(c, false), b)
	}
	c = ended(c)
	if b == '-' || b == '?' {
		c.state = ymDash
		return c
	}
	c.state = ymStart
	return plainYAML(c, b)
}

// plainYAML reads outside quotes, comments and block scalars.
func plainYAML(c context, b byte) context {
	switch first := c.state == ymStart; {
	case c.state == lost || c.state == barred:
	case c.state == ymEither && strings.IndexByte("\"'#|>&*!{[", b) >= 0:
		return context{state: lost, word: "a quote or another mark follows branches of which only some end within a scalar"}
	case isBlank(b):
		return blankYAML(c)
	case goesOn(c): // in ymEither
		return further(c, false)
	case b == '#' && (first || c.state == ymSpace || c.state == ymClosed):
		c = ended(c)
		c.state = ymComment
	case c.depth > 0 && b == ',':
		c = ended(c)
		c.state = ymStart
	case c.depth > 0 && (b == ']' || b == '}'):
		c = ended(c)
		c.state = ymClosed
		c.depth--
	case b == ':' && c.state == ymClosed && c.depth > 0:
		c.state = ymStart // {"key":value}
	case b == ':':
		c.state = ymColon
	case first:
		return beginYAML(c, b)
	case c.state == ymProp:
	default:
		return inPlain(c)
	}
	return c
}

// blankYAML reads a blank there.
func blankYAML(c context) context {
	switch c.state {
	case ymColon:
		c = ended(c)
		c.state, c.arg = ymStart, ymKey
	case ymProp:
		c.state = ymStart
	case ymMid:
		c.state = ymSpace
	case ymEither:
		if c.plain&plainNear != 0 {
			c.plain |= plainNext
		}
	}
	return c
}

// beginYAML reads the first character of a node.
func beginYAML(c context, b byte) context {
	switch {
	case b == '"':
		c.state = ymDouble
	case b == '\'':
		c.state = ymSingle
	case b == '[', b == '{':
		c.depth++
	case b == '&', b == '*', b == '!':
		c.state = ymProp
	case b != '|' && b != '>' || c.depth > 0:
		return inPlain(c)
	case c.arg == 0:
		return context{state: lost, word: "a line begins with | or >; write it behind the key or the dash, or behind ---"}
	default:
		c.state, c.base, c.arg = ymHead, hangYAML(c), 0
	}
	return c
}
