package templates

import "strings"

// POSIX shell, section 2.2 "Quoting" of its command language. Bare values are
// single-quoted unless they are plain words. Substitutions inside double
// quotes begin a shell of their own: they are followed to their end, but no
// value can be printed there. What is not followed is lost: no value can be
// printed after it.
const (
	shStart   state = iota // before a word
	shMid                  // in a word
	shDouble               // in double quotes
	shSingle               // in single quotes
	shComment              // after #
	shMath                 // in (( )); depth counts the parentheses
	shBrace                // in ${ }; depth counts the braces
	shTicks                // in ` ` in double quotes
)

// The context's word is a stack of what is open: " for double quotes, ( for a
// substitution in them, [ for a subscript, in which bash expands and evaluates
// even what is quoted. depth is 1 right after a letter of a name. col is 1 after a < and 2 after a (; base is how much
// of the word "case" has been read in a substitution; arg is 1 where branches
// differ in whether a word has begun.

var (
	shellWord   = chars(alnum + "_./:@,+-")
	shellQuoted = allBut("").and("\t")
	shellNumber = chars(digits)
)

func shellGrammar() *grammar {
	return &grammar{
		scan: scanShell, after: afterShell, print: printShell,
		join: func(a, b context) (context, bool) {
			if a.state <= shMid && b.state <= shMid && a.state != b.state {
				a.state, a.arg = shMid, 1
			}
			a.tail, a.col, a.base, a.arg = max(a.tail, b.tail), max(a.col, b.col), max(a.base, b.base), max(a.arg, b.arg)
			b.tail, b.col, b.base, b.arg = a.tail, a.col, a.base, a.arg
			if a.state <= shMid && b.state <= shMid {
				b.state = a.state
				a.depth, b.depth = max(a.depth, b.depth), max(a.depth, b.depth)
			}
			return a, a == b
		},
		where: whereShell,
	}
}

func whereShell(c context) string {
	switch {
	case strings.Contains(c.word, "("):
		return "in a substitution within double quotes"
	case strings.Contains(c.word, "["):
		return "in a subscript, which bash evaluates: set a variable first"
	}
	return [...]string{"before a word", "in a word", "in double quotes", "in single quotes", "in a comment",
		"in arithmetic", "in ${ }", "in a substitution within double quotes"}[c.state]
}

func lostShell(why string) context {
	return context{state: lost, word: "muster does not follow " + why}
}

func scanShell(c context, s string) context {
	for i := 0; i < len(s) && c.state != lost; i++ {
		c = stepShell(c, s[i])
	}
	return c
}

func stepShell(c context, b byte) context {
	switch {
	case c.tail == tailEscape:
		c.tail = noTail
		return c
	case c.state == shComment:
		if b == '\n' {
			c.state = shStart
		}
		return c
	case c.state == shSingle:
		if b == '\'' {
			c.state = shMid
		}
		return c
	case b == '\\':
		c.tail = tailEscape
		if c.state == shStart {
			c.state = shMid
		}
		return c
	}
	before := c.tail
	c.tail = dollarTail(before, b)
	switch c.state {
	case shDouble:
		return doubleShell(c, before, b)
	case shMath, shBrace:
		return nestedShell(c, b)
	case shTicks:
		if b == '`' {
			c.state = shDouble
		}
		return c
	}
	return bareShell(c, before, b)
}

// dollarTail says whether a $, or a name after one, is right before.
func dollarTail(before tail, b byte) tail {
	switch {
	case b == '$' && before != tailDollar:
		return tailDollar
	case before == tailDollar && strings.IndexByte("$?#@*!-", b) >= 0:
		return noTail
	case before != noTail && isName(b):
		return tailName
	}
	return noTail
}

func doubleShell(c context, before tail, b byte) context {
	switch {
	case before == tailDollar && b == '{':
		c.state, c.depth = shBrace, 1
	case before == tailDollar && b == '[':
		return lostShell(oldMath)
	case before == tailDollar && b == '(':
		c.state, c.word, c.col = shStart, c.word+"(", 2
	case b == '`':
		c.state = shTicks
	case b == '"':
		c.state, c.word = shMid, c.word[:len(c.word)-1]
	}
	return c
}

func bareShell(c context, before tail, b byte) context {
	if strings.IndexByte("];&|)\n", b) >= 0 {
		c.word = strings.TrimSuffix(c.word, "[")
	}
	last, nested, named := c.col, strings.HasSuffix(c.word, "("), c.depth == 1
	c.col, c.depth = 0, 0
	switch {
	case c.arg == 1 && b == '#':
		return context{state: lost, word: "a # follows branches of which only some end within a word"}
	case before == tailDollar && b == '{':
		c.state, c.depth = shBrace, 1
		return c
	case before == tailDollar && b == '\'':
		return lostShell("$'…'")
	case before == tailDollar && b == '[':
		return lostShell(oldMath)
	case b == '`':
		return lostShell("`…`; write $(…)")
	case b == '<' && last == 1:
		return lostShell("here documents")
	case b == '(' && last == 2:
		c.state, c.depth = shMath, 2
		return c
	case nested && c.base == 4 && isBlank(b):
		return lostShell("case in a substitution within double quotes")
	case nested && b == '#' && c.state == shStart:
		return lostShell("comments in a substitution within double quotes")
	}
	c.base = caseShell(c, b)
	c.arg = 0
	switch {
	case b == '"':
		c.state, c.word = shDouble, c.word+`"`
	case b == '\'':
		c.state = shSingle
	case b == '#' && c.state == shStart:
		c.state = shComment
	case b == '<':
		c.state, c.col = shStart, 1
	case b == '(':
		c.state, c.col = shStart, 2
		if nested {
			c.word += "("
		}
	case b == ')' && nested:
		return closeShell(c)
	case isBlank(b) || strings.IndexByte("\n;&|>)", b) >= 0:
		c.state = shStart
	case b == '[' && named:
		c.state, c.word = shMid, c.word+"["
	default:
		c.state, c.depth = shMid, btoi(isName(b))
	}
	if len(c.word) > maxNested {
		return lostShell("quotes and substitutions nested so deep")
	}
	return c
}

const (
	maxNested = 20
	oldMath   = "$[…]; write $((…))"
)

// closeShell leaves a substitution for what it stands in.
func closeShell(c context) context {
	c.word = c.word[:len(c.word)-1]
	c.state = shMid
	if strings.HasSuffix(c.word, `"`) {
		c.state = shDouble
	}
	return c
}

// caseShell counts the letters of a word that may become "case".
func caseShell(c context, b byte) int {
	switch {
	case c.state == shStart && b == 'c':
		return 1
	case c.base > 0 && c.base < 4 && b == "case"[c.base]:
		return c.base + 1
	}
	return 0
}

// nestedShell reads arithmetic and ${ } up to their end.
func nestedShell(c context, b byte) context {
	opening, closing := byte('('), byte(')')
	if c.state == shBrace {
		opening, closing = '{', '}'
	}
	switch {
	case b == opening:
		c.depth++
	case b == closing:
		if c.depth--; c.depth > 0 {
			return c
		}
		if c.state == shMath && strings.HasSuffix(c.word, "(") {
			return closeShell(c) // "$(( … ))"
		}
		c.state = shMid
		if strings.HasSuffix(c.word, `"`) {
			c.state = shDouble
		}
	case strings.IndexByte("\"'`", b) >= 0, c.state == shBrace && b == '(':
		return lostShell("quotes and substitutions in ${ } and (( ))")
	}
	return c
}

func afterShell(c context) (context, string) {
	switch {
	case strings.ContainsAny(c.word, "(["), c.state == shBrace, c.state == shTicks:
		return c, whereShell(c)
	case c.state == shComment, c.state == shSingle:
		return c, ""
	case c.tail == tailEscape:
		return c, "right after a backslash"
	case c.tail == tailDollar:
		return c, "right after a dollar sign"
	case c.tail == tailName:
		return c, "right after the name of a variable: write ${name}"
	case c.state <= shMid:
		c.state, c.depth = shMid, 1
	}
	c.col, c.base, c.arg = 0, 0, 0
	return c, ""
}

func printShell(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state <= shMid {
		at.state = shDouble
		if v.quote == '\'' {
			at.state = shSingle
		}
		dst, why := printShell(append(dst, v.quote), at, &value{text: v.text})
		return append(dst, v.quote), why
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	switch at.state {
	case shComment:
		return append(dst, s...), comment(s)
	case shMath:
		if strings.TrimPrefix(s, "-") == "" {
			return dst, "it is empty, and a number would be missing"
		}
		return append(dst, s...), refused(strings.TrimPrefix(s, "-"), shellNumber, onlyASCII, "in arithmetic")
	case shDouble:
		return doubleQuoteShell(dst, s), refused(s, shellQuoted, unhidden, "in the shell")
	case shSingle:
		return append(dst, strings.ReplaceAll(s, "'", `'\''`)...), refused(s, shellQuoted, unhidden, "in the shell")
	}
	if v.kind == isNumber || plainShell(s) {
		return append(dst, s...), ""
	}
	dst = append(append(append(dst, '\''), strings.ReplaceAll(s, "'", `'\''`)...), '\'')
	return dst, refused(s, shellQuoted, unhidden, "in the shell")
}

func doubleQuoteShell(dst []byte, s string) []byte {
	for i := range len(s) {
		if strings.IndexByte("$`\\\"", s[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

// plainShell reports whether s is an ordinary word without quotes: neither a
// reserved word nor digits, which before > or < name a file descriptor.
func plainShell(s string) bool {
	switch s {
	case "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in",
		"function", "select", "time", "coproc":
		return false
	}
	return offence(s, shellWord, onlyASCII) == "" && offence(s, shellNumber, onlyASCII) != ""
}
