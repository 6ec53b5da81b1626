package templates

import "strings"

// TOML 1.0. Outside strings every value is printed as a complete TOML value
// or, when it is glued to a bare key's letters, as more of them.
const (
	tmBare   state = iota
	tmDouble       // "…"
	tmSingle       // '…'
	tmDouble3
	tmSingle3
	tmOpen   // one or two quotes of an opening: arg of them, of kind word
	tmClosed // right after a closing quote
	tmComment
)

var tomlKey = chars(alnum + "_-")

func tomlGrammar() *grammar {
	return &grammar{
		scan: scanTOML, after: afterTOML, print: printTOML,
		ends: func(_ context, next string, last bool) bool {
			if next == "" {
				return last
			}
			return !isTOMLKey(next[0])
		},
		join: func(a, b context) (context, bool) {
			a.col, b.col = max(a.col, b.col), max(a.col, b.col)
			a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
			a.arg, b.arg = max(a.arg, b.arg), max(a.arg, b.arg)
			if a.state == tmClosed || b.state == tmClosed {
				if a.state == tmBare || b.state == tmBare {
					a.state, b.state = tmBare, tmBare
				}
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"outside strings", "in double quotes", "in single quotes", "in triple double quotes",
				"in triple single quotes", "within quotes", "after a closing quote", "in a comment"}[c.state]
		},
	}
}

func isTOMLKey(b byte) bool { return isName(b) || b == '-' || b == '+' }

func scanTOML(c context, s string) context {
	for i := range len(s) {
		c = stepTOML(c, s[i])
	}
	return c
}

// stepTOML keeps in col whether a bare key's letter is right before.
func stepTOML(c context, b byte) context {
	if c.tail == tailEscape {
		c.tail = noTail
		return c
	}
	switch c.state {
	case tmComment, tmDouble, tmSingle:
		switch {
		case b == '\n':
			return context{}
		case c.state == tmDouble && b == '\\':
			c.tail = tailEscape
		case c.state == tmDouble && b == '"', c.state == tmSingle && b == '\'':
			return context{state: tmClosed}
		}
	case tmDouble3, tmSingle3:
		return stepTOML3(c, b)
	case tmOpen:
		return openTOML(c, b)
	default:
		c = context{}
		switch {
		case b == '#':
			c.state = tmComment
		case b == '"', b == '\'':
			c = context{state: tmOpen, arg: 1, word: string(b)}
		case isTOMLKey(b):
			c.col = 1
		}
	}
	return c
}

// stepTOML3 reads a multi-line string; arg counts the quotes just read.
func stepTOML3(c context, b byte) context {
	quote := byte('"')
	if c.state == tmSingle3 {
		quote = '\''
	}
	switch {
	case b == quote && c.arg == 4: // """"" ends a string that ends in ""
		return context{state: tmClosed}
	case b == quote:
		c.arg++
	case c.arg >= 3:
		return stepTOML(context{state: tmClosed}, b)
	default:
		c.arg = 0
		if c.state == tmDouble3 && b == '\\' {
			c.tail = tailEscape
		}
	}
	return c
}

// openTOML tells "…" from """…""" from "".
func openTOML(c context, b byte) context {
	double := c.word == `"`
	switch {
	case string(b) == c.word && c.arg == 1:
		c.arg = 2
		return c
	case string(b) == c.word && double:
		return context{state: tmDouble3}
	case string(b) == c.word:
		return context{state: tmSingle3}
	case c.arg == 2:
		return stepTOML(context{state: tmClosed}, b)
	case double:
		return stepTOML(context{state: tmDouble}, b)
	}
	return stepTOML(context{state: tmSingle}, b)
}

func afterTOML(c context) (context, string) {
	closed := c.state == tmClosed || c.state == tmOpen && c.arg == 2 ||
		(c.state == tmDouble3 || c.state == tmSingle3) && c.arg >= 3
	switch {
	case c.tail == tailEscape:
		return c, "right after a backslash"
	case closed:
		return c, "right after a closing quote"
	case c.state == tmOpen && c.word == `"`:
		return context{state: tmDouble}, ""
	case c.state == tmOpen:
		return context{state: tmSingle}, ""
	case c.state == tmBare:
		c.col = 1
	}
	c.arg = 0
	return c, ""
}

func printTOML(dst []byte, at spot, v *value) ([]byte, string) {
	st := at.state
	if st == tmOpen {
		after, _ := afterTOML(at.context)
		st = after.state
	}
	if st == tmBare {
		return bareTOML(dst, at, v)
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	switch st {
	case tmSingle, tmSingle3:
		if strings.Contains(s, "'") {
			return dst, "it has a single quote, which has no escape in single quotes"
		}
		return append(dst, s...), refused(s, commentable, unhidden, "in single quotes")
	case tmComment:
		return append(dst, s...), comment(s)
	}
	return escapeJSON(dst, s)
}

func bareTOML(dst []byte, at spot, v *value) ([]byte, string) {
	glued := at.col == 1 || !at.whole
	switch {
	case v.kind == isNull:
		return dst, "there is no value"
	case v.kind == isNumber, v.kind == isBool:
		return append(dst, v.text...), ""
	case glued && (v.kind == isText || v.kind == isAddr):
		if v.text == "" && at.col == 0 {
			return dst, "it is empty, and a word would be missing"
		}
		return append(dst, v.text...), refused(v.text, tomlKey, onlyASCII, "in a bare key")
	case v.kind == isOther:
		dst, err := appendTOML(dst, v.other, 0)
		if err != nil {
			return dst, err.Error()
		}
		return dst, ""
	}
	dst, why := escapeJSON(append(dst, '"'), v.text)
	return append(dst, '"'), why
}
