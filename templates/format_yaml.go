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
)

// The context's depth counts brackets. col is the column of a line's first
// word, base that of its last - or, from | or > on, that of the node which
// the block scalar belongs to; arg is 1 when the line has a key.

func yamlGrammar() *grammar {
	return &grammar{
		start: context{base: -1},
		scan:  scanYAML, after: afterYAML, print: printYAML, ends: endsYAML, join: joinYAML, limit: limitYAML,
		where: func(c context) string {
			return [...]string{"at the beginning of a line", "after a dash", "before a scalar", "in a plain scalar",
				"in a plain scalar", "at a plain scalar", "in a tag or an anchor", "after a colon",
				"after a closing quote or bracket", "in double quotes", "in single quotes",
				"after a single quote", "in a comment", "in the head of a block scalar",
				"in a block scalar", "in a block scalar"}[c.state]
		},
	}
}

func joinYAML(a, b context) (context, bool) {
	a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
	a.arg, b.arg = max(a.arg, b.arg), max(a.arg, b.arg)
	a.col, b.col = max(a.col, b.col), max(a.col, b.col)
	plain := func(c context) bool { return c.state <= ymClosed }
	if plain(a) && plain(b) {
		a.base, b.base = max(a.base, b.base), max(a.base, b.base)
		if a.state != b.state {
			a.state, b.state = ymEither, ymEither
		}
	}
	return a, a == b
}

func scanYAML(c context, s string) context {
	for i := range len(s) {
		if c = stepYAML(c, s[i]); c.state == lost {
			break
		}
	}
	return c
}

func stepYAML(c context, b byte) context {
	if b == '\n' && c.state != ymDouble && c.state != ymSingle {
		return lineYAML(c)
	}
	switch c.state {
	case ymLine:
		return startLineYAML(c, b)
	case ymDash:
		if isBlank(b) {
			c.state, c.base = ymLine, c.col
			c.col += 2
			return c
		}
		c.state = ymMid
		return stepYAML(c, b)
	case ymDouble:
		switch {
		case c.tail == tailEscape:
			c.tail = noTail
		case b == '\\':
			c.tail = tailEscape
		case b == '"':
			c.state = ymClosed
		}
	case ymSingle:
		if b == '\'' {
			c.state = ymQuote
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
			return stepYAML(context{col: c.col, base: -1, depth: c.depth}, b)
		}
	case ymComment, ymHead, ymBlock:
	default:
		return plainYAML(c, b)
	}
	return c
}

// lineYAML returns the context after a line's end.
func lineYAML(c context) context {
	switch c.state {
	case ymHead:
		if c.arg == 1 {
			c.base = c.col
		}
		return context{state: ymIndent, base: c.base, depth: c.depth}
	case ymIndent, ymBlock:
		return context{state: ymIndent, base: c.base, depth: c.depth}
	}
	return context{state: ymLine, base: -1, depth: c.depth}
}

func startLineYAML(c context, b byte) context {
	switch b {
	case ' ', '\t', '\r':
		c.col++
		return c
	case '-', '?':
		c.state = ymDash
		return c
	}
	c.state = ymStart
	return plainYAML(c, b)
}

// plainYAML reads outside quotes, comments and block scalars.
func plainYAML(c context, b byte) context {
	first := c.state == ymStart
	switch {
	case c.state == ymEither && strings.IndexByte("\"'#|>&*!{[", b) >= 0:
		return context{state: lost, word: "a quote or another mark follows branches of which only some end within a scalar"}
	case isBlank(b):
		switch c.state {
		case ymColon, ymProp, ymStart:
			if c.state == ymColon {
				c.arg = 1
			}
			c.state = ymStart
		case ymMid, ymSpace:
			c.state = ymSpace
		}
	case b == '#' && (first || c.state == ymSpace || c.state == ymClosed):
		c.state = ymComment
	case c.depth > 0 && b == ',':
		c.state = ymStart
	case c.depth > 0 && (b == ']' || b == '}'):
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
		c.state = ymMid
	}
	return c
}

// beginYAML reads the first character of a node.
func beginYAML(c context, b byte) context {
	switch b {
	case '"':
		c.state = ymDouble
	case '\'':
		c.state = ymSingle
	case '[', '{':
		c.depth++
	case '&', '*', '!':
		c.state = ymProp
	case '|', '>':
		c.state = ymMid
		if c.depth == 0 {
			c.state = ymHead
		}
	default:
		c.state = ymMid
	}
	return c
}

func afterYAML(c context) (context, string) {
	switch c.state {
	case ymDouble:
		if c.tail == tailEscape {
			return c, "right after a backslash"
		}
	case ymSingle, ymComment, ymBlock:
	case ymIndent:
		if c.col > c.base {
			c.state = ymBlock
		} else {
			c = context{state: ymMid, col: c.col, base: -1, depth: c.depth}
		}
	case ymQuote, ymClosed:
		return c, "after a closing quote or bracket"
	case ymHead:
		return c, "in the head of a block scalar"
	case ymProp:
		return c, "in the name of a tag, an anchor or an alias: it would choose what the reader makes of the rest"
	default:
		c.state = ymMid
	}
	return c, ""
}

// endsYAML reports whether the text next ends a scalar before it.
func endsYAML(c context, next string, last bool) bool {
	rest := strings.TrimLeft(next, " \t\r")
	switch {
	case rest == "":
		return last
	case rest[0] == '\n', rest[0] == '#' && len(rest) < len(next):
		return true
	case c.depth > 0 && strings.IndexByte(",]}", rest[0]) >= 0:
		return true
	case rest[0] == ':':
		return len(rest) == 1 && last || len(rest) > 1 && strings.IndexByte(" \t\r\n", rest[1]) >= 0
	}
	return false
}
