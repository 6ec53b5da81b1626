package templates

import "strings"

// INI, as far as munin's, Ansible's, git's and Python's readers agree. None
// of them has an escape that the others know, and Ansible's evaluates {{ }}
// in every value: so nothing is escaped, and little is allowed.
const (
	inStart   state = iota // before a word
	inMid                  // in a word
	inSection              // between [ and ]
	inDouble
	inSingle
	inComment
)

// The context's arg says what the word is.
const (
	inFirst uint8 = iota // the line's first word: a host, a key
	inLater              // a later word
	inValue              // what follows a = directly
	inRest               // what follows a = and blanks: the rest of the line
)

var (
	iniFirst   = chars(alnum + "_.-/@+")
	iniLater   = chars(alnum + "_.-/@+:,")
	iniValue   = chars(alnum + "_.-/@+:,=")
	iniRest    = chars(alnum + "_.-/@+:,= ")
	iniSection = chars(alnum + "_.-")
	iniQuoted  = allBut("\"'\\{}$`%")
	iniComment = allBut("{}")
)

func iniGrammar() *grammar {
	return &grammar{
		scan: scanINI, after: afterINI, print: printINI,
		join: func(a, b context) (context, bool) {
			if a.arg != b.arg { // the stricter
				a.arg = min(a.arg, b.arg, inLater)
				b.arg = a.arg
			}
			a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
			if a.state <= inMid && b.state <= inMid {
				a.state, b.state = inStart, inStart
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "in a section's name", "in double quotes",
				"in single quotes", "in a comment"}[c.state]
		},
	}
}

func scanINI(c context, s string) context {
	for i := range len(s) {
		c = stepINI(c, s[i])
	}
	return c
}

func stepINI(c context, b byte) context {
	switch {
	case b == '\n':
		return context{}
	case c.state == inComment:
	case c.tail == tailEscape:
		c.tail = noTail
	case b == '\\':
		c.tail = tailEscape
		if c.state == inStart {
			c.state = inMid
		}
	case c.state == inSection:
		if b == ']' {
			c.state, c.arg = inMid, inLater
		}
	case c.state == inDouble:
		if b == '"' {
			c.state = inMid
		}
	case c.state == inSingle:
		if b == '\'' {
			c.state = inMid
		}
	case c.state == inStart && (b == '#' || b == ';'):
		c.state = inComment
	case c.state == inStart && c.arg == inFirst && b == '[':
		c.state = inSection
	case b == '"' && (c.arg != inRest || c.state == inStart):
		c.state = inDouble
	case b == '\'' && (c.arg != inRest || c.state == inStart):
		c.state = inSingle
	case isBlank(b):
		c.state, c.arg = inStart, afterBlank(c)
	case b == '=' && c.arg != inRest:
		c.state, c.arg = inStart, inValue
	default:
		c.state = inMid
	}
	return c
}

// afterBlank says what begins after a blank at c.
func afterBlank(c context) uint8 {
	switch {
	case c.arg == inRest, c.arg == inValue && c.state == inStart:
		return inRest
	case c.arg == inFirst && c.state == inStart:
		return inFirst
	}
	return inLater
}

func afterINI(c context) (context, string) {
	if c.tail == tailEscape && c.state != inComment {
		return c, "right after a backslash"
	}
	if c.state == inStart {
		c.state = inMid
	}
	return c, ""
}

func printINI(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state == inStart {
		dst = append(append(append(dst, v.quote), v.text...), v.quote)
		return dst, refused(v.text, iniQuoted, unhidden, "in a string of an INI file")
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	dst = append(dst, s...)
	switch at.state {
	case inComment:
		if why := comment(s); why != "" {
			return dst, why
		}
		return dst, refused(s, iniComment, unhidden, "in a comment of an INI file")
	case inSection:
		if s == "" {
			return dst, "it is empty, and a section would have no name"
		}
		return dst, refused(s, iniSection, onlyASCII, "in a section's name")
	case inDouble, inSingle:
		return dst, refused(s, iniQuoted, unhidden, "in a string of an INI file")
	}
	switch {
	case s == "" && at.state == inStart && at.arg <= inLater:
		return dst, "it is empty, and a word would be missing"
	case at.arg == inRest && s != strings.TrimSpace(s):
		return dst, "it begins or ends with a space"
	}
	sets := []*charset{iniFirst, iniLater, iniValue, iniRest}
	more := onlyASCII
	if at.arg >= inValue {
		more = unspaced
	}
	return dst, refused(s, sets[at.arg], more, "in an INI file outside quotes")
}
