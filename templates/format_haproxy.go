package templates

import "strings"

// haproxy, after "Quoting and escaping" of its configuration manual and
// parse_line in src/tools.c: quotes count anywhere in a word, # begins a
// comment anywhere outside them, double quotes expand $NAME and ${NAME}.
// Many arguments are log formats or sample expressions in turn, where a
// percent sign begins an expression (%[env(SECRET)]), in quotes or not.
const (
	haStart state = iota // before a word
	haMid                // in a word, outside quotes
	haDouble
	haSingle
	haComment
)

// The context's col is 1 right after a quote with which a word begins; depth
// counts the parentheses that are open in the word, in quotes or not: what is
// in them are the arguments of a fetch or a converter, which end at the next
// comma or parenthesis ("Converters" and "Fetching samples" of the manual). base
// says where in a log format's expression it is.

// The context's base: %, then {flags} perhaps, then a name or [an expression].
const (
	haText    = iota
	haPercent // right after a % or its flags
	haFlags   // within { }
	haSample  // within [ ]
)

var (
	haproxyBare   = chars(alnum + "_.:-/@+=,*~[]|&?")
	haproxyName   = chars(alnum + "_.:-") // of servers and proxies; invalid_char() accepts no other
	haproxyQuoted = allBut("%")
)

func haproxyGrammar() *grammar {
	return &grammar{
		scan: scanHaproxy, after: afterHaproxy, print: printHaproxy,
		brackets: func(c context) bool {
			return c.state <= haMid && addressed(c)
		},
		join: func(a, b context) (context, bool) {
			joinWords(&a, &b)
			a.arg, b.arg = min(a.arg, b.arg), min(a.arg, b.arg)
			a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
			a.col, b.col = max(a.col, b.col), max(a.col, b.col)
			a.depth, b.depth = max(a.depth, b.depth), max(a.depth, b.depth)
			a.base, b.base = max(a.base, b.base), max(a.base, b.base)
			if a.state <= haMid && b.state <= haMid {
				a.state, b.state = haStart, haStart
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "in double quotes", "in single quotes", "in a comment"}[c.state]
		},
	}
}

func scanHaproxy(c context, s string) context {
	for i := range len(s) {
		c = stepHaproxy(c, s[i])
	}
	return c
}

func stepHaproxy(c context, b byte) context {
	c.col = 0
	c.depth = parensHaproxy(c, b)
	c.base = percentHaproxy(c, b)
	switch {
	case b == '\n':
		return context{}
	case c.state == haComment:
		return c
	case c.tail == tailEscape:
		c.tail = noTail
		return c
	case c.state == haSingle:
		if b == '\'' {
			c.state = haMid
		}
		return c
	case c.tail == tailDollar && (b == '{' || isName(b)), c.tail == tailName && isName(b):
		c.tail = tailName
		return c
	}
	c.tail = noTail
	switch {
	case b == '\\':
		c.tail = tailEscape
		if c.state == haStart {
			c.state = haMid
		}
	case c.state == haDouble:
		switch b {
		case '"':
			c.state = haMid
		case '$':
			c.tail = tailDollar
		}
	case b == '"':
		c.state, c.col = haDouble, btoi(c.state == haStart)
	case b == '\'':
		c.state, c.col = haSingle, btoi(c.state == haStart)
	case b == '#':
		c.state = haComment
	case isBlank(b):
		if c.state == haMid {
			c.arg = min(c.arg+1, 3)
		}
		c.state, c.depth, c.base = haStart, 0, haText
	default:
		c.state = haMid
		if c.arg == 0 && len(c.word) < 32 {
			c.word += string(b)
		}
	}
	return c
}

// parensHaproxy returns how many parentheses are open after b at c.
func parensHaproxy(c context, b byte) int {
	switch {
	case c.state == haComment:
	case b == '(':
		return min(c.depth+1, maxNested)
	case b == ')':
		return max(c.depth-1, 0)
	}
	return c.depth
}

// percentHaproxy returns where in a log format's expression b leads.
func percentHaproxy(c context, b byte) int {
	switch {
	case c.state == haComment:
	case c.base == haText && b == '%', c.base == haFlags && b == '}':
		return haPercent
	case c.base == haPercent && b == '{':
		return haFlags
	case c.base == haPercent && b == '[':
		return haSample
	case c.base == haFlags, c.base == haSample && (b != ']' || c.depth > 0):
		return c.base
	}
	return haText
}

func afterHaproxy(c context) (context, string) {
	switch {
	case c.state == haComment:
		return c, ""
	case c.tail == tailEscape:
		return c, "right after a backslash"
	case c.tail != noTail:
		return c, "right after the name of a variable: it would become part of the name"
	case c.base == haPercent || c.base == haFlags:
		return c, "right after a percent sign, with which haproxy begins an expression"
	case c.state == haStart:
		c.state = haMid
	}
	if c.arg == 0 {
		c.word = unknown
	}
	c.col = 0
	return c, ""
}

// named reports whether the second word at c names a server or a proxy.
func named(c context) bool {
	switch c.word {
	case "server", "backend", "frontend", "listen", "defaults", "peers", "peer", "resolvers", "nameserver",
		"userlist", "cache", "program", "mailers", "mailer", "ring", "default_backend", "use_backend", "use-server":
		return c.arg == 1
	}
	return false
}

func printHaproxy(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state <= haMid {
		at.col = btoi(at.state == haStart)
		at.state = haDouble
		if v.quote == '\'' {
			at.state = haSingle
		}
		dst, why := printHaproxy(append(dst, v.quote), at, &value{text: v.text})
		if why == "" && named(at.context) {
			why = refused(v.text, haproxyName, onlyASCII, "in the name of a server or proxy of haproxy")
		}
		return append(dst, v.quote), why
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	if why := wordHaproxy(dst, at.context, s, v.kind == isNumber); why != "" {
		return dst, why
	}
	switch at.state {
	case haComment:
		return append(dst, s...), comment(s)
	case haDouble, haSingle:
		return escapeHaproxy(dst, s, at.state), refused(s, haproxyQuoted, unhidden, "in a string of haproxy")
	}
	switch {
	case at.state == haStart && s == "":
		return dst, "it is empty, and a word would be missing"
	case named(at.context):
		return append(dst, s...), refused(s, haproxyName, onlyASCII, "in the name of a server or proxy of haproxy")
	}
	return append(dst, s...), refused(s, haproxyBare, unspaced, "in a bare word of haproxy")
}

// wordHaproxy says why s cannot come after dst in a word, or "".
func wordHaproxy(dst []byte, c context, s string, number bool) string {
	quoted := c.state == haDouble || c.state == haSingle
	begins := c.state == haStart || quoted && (c.col == 1 || opensQuote(dst))
	switch {
	case c.state == haComment:
	case (c.depth > 0 || c.base == haSample) && strings.ContainsAny(s, `(),[]"'\`):
		return "it has a comma, a parenthesis, a bracket, a quote or a backslash, which would change an expression"
	case begins && strings.HasPrefix(s, "-") && !number:
		return "it begins with -, which begins an option"
	case !addressed(c) || c.arg > 2:
	case begins && strings.HasPrefix(s, "/"), strings.Contains(s, "@"):
		return "it names a socket or a file of this host"
	case strings.Contains(s, "$"):
		return "it has a dollar sign, with which haproxy begins a variable in any address"
	}
	return ""
}

// addressed reports whether the words after the first have an address among
// them. Those with an @ are sockets, files and descriptors (unix@, uxst@, abns@,
// fd@, …; "Address formats" of the manual); and whatever quotes there are,
// str2sa_range in src/tools.c replaces ${NAME} in all of them.
func addressed(c context) bool {
	switch c.word {
	case "server", "server-template", "bind", "peer", "source", "nameserver", "log", "usesrc":
		return true
	}
	return false
}

func escapeHaproxy(dst []byte, s string, st state) []byte {
	for i := range len(s) {
		b := s[i]
		switch {
		case st == haSingle && b == '\'':
			dst = append(dst, `'\''`...)
		case st == haDouble && (b == '\\' || b == '"' || b == '$'):
			dst = append(dst, '\\', b)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
