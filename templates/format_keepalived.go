package templates

import "strings"

// keepalived, after keepalived.conf(5) and alloc_strvec and read_line in
// lib/parser.c: a directive to a line; # and ! begin a comment anywhere outside
// double quotes, which stand anywhere in a word. Single quotes protect nothing
// (2.2.7 splits 'a } b' into three), whatever the manual says. Before all that lines are chosen by
// @, repeated by ~SEQ and ~LST, and $NAME is replaced, in quotes too. And lines
// are read 1,023 bytes at a time: the rest of a longer one, even of a comment,
// is the next line.
const (
	kaStart state = iota // before a word
	kaMid                // in a word, outside quotes
	kaDouble
	kaComment
)

// The context's col is how long the line may be so far, in bytes; depth is 1
// in a word at the line's beginning that chooses the line, and 0 in others.

const (
	kaLine  = 1000 // bytes that a line with a value may have
	kaValue = 256  // bytes of a value that the line has room for
)

var (
	keepalivedBare   = chars(alnum + "_.:-/@+=,%?&*")
	keepalivedQuoted = allBut("\"'\\$~")
)

func keepalivedGrammar() *grammar {
	return &grammar{
		scan: scanKeepalived, after: afterKeepalived, print: printKeepalived,
		limit: func(c context, _ string) int { return min(kaValue, kaLine-c.col) },
		join: func(a, b context) (context, bool) {
			a.arg, b.arg = min(a.arg, b.arg), min(a.arg, b.arg)
			a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
			a.col, b.col = max(a.col, b.col), max(a.col, b.col)
			a.depth, b.depth = min(a.depth, b.depth), min(a.depth, b.depth)
			if a.state <= kaMid && b.state <= kaMid {
				a.state, b.state = kaStart, kaStart
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "in double quotes", "in a comment"}[c.state]
		},
	}
}

func scanKeepalived(c context, s string) context {
	for i := range len(s) {
		c = stepKeepalived(c, s[i])
	}
	return c
}

func stepKeepalived(c context, b byte) context {
	if b == '\n' {
		return context{}
	}
	c.col = min(c.col+1, kaLine)
	switch {
	case c.state == kaComment:
		return c
	case c.tail == tailEscape:
		c.tail = noTail
		return c
	case c.tail == tailDollar && (b == '{' || isName(b)), c.tail == tailName && isName(b):
		c.tail = tailName
		return c
	}
	c.tail = noTail
	switch b {
	case '\\':
		c.tail = tailEscape
	case '$':
		c.tail = tailDollar
	}
	switch {
	case c.state == kaDouble:
		if b == '"' {
			c.state = kaMid
		}
	case b == '"':
		c.state = kaDouble
	case b == '#' || b == '!':
		c.state, c.tail = kaComment, noTail
	case isBlank(b) || b == '\v' || b == '\f':
		if c.state == kaMid && c.depth == 0 {
			c.arg = 1
		}
		c.state, c.depth = kaStart, 0
	default:
		if c.state == kaStart && c.arg == 0 {
			c.depth = btoi(b == '@')
		}
		c.state = kaMid
	}
	return c
}

func afterKeepalived(c context) (context, string) {
	switch {
	case c.col >= kaLine:
		return c, "where the line may have more than 1,000 bytes: keepalived takes long lines apart"
	case c.state != kaComment && c.tail == tailEscape:
		return c, "right after a backslash"
	case c.state != kaComment && c.tail != noTail:
		return c, "right after the name of a variable: it would become part of the name"
	case c.state == kaStart:
		c.state = kaMid
	}
	c.col = min(c.col+kaValue, kaLine)
	return c, ""
}

func printKeepalived(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state <= kaMid {
		dst = append(append(append(dst, v.quote), v.text...), v.quote)
		if v.quote == '\'' {
			return dst, refused(v.text, keepalivedBare, onlyASCII, "in single quotes of keepalived")
		}
		return dst, refused(v.text, keepalivedQuoted, unhidden, "in a string of keepalived")
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	dst = append(dst, s...)
	switch {
	case at.state == kaComment:
		return dst, comment(s)
	case at.state == kaDouble:
		return dst, refused(s, keepalivedQuoted, unhidden, "in a string of keepalived")
	case at.state == kaStart && s == "":
		return dst, "it is empty, and a word would be missing"
	case at.state == kaStart && at.arg == 0 && strings.HasPrefix(s, "@"):
		return dst, "it begins with @, which chooses lines"
	case at.state == kaStart && at.arg == 0 && strings.HasPrefix(s, "include"):
		return dst, "it may include a file"
	}
	return dst, refused(s, keepalivedBare, onlyASCII, "in a bare word of keepalived")
}
