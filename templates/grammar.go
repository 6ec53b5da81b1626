package templates

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A context says where in a format's grammar a place of a template lies, as
// far as the text before it tells. The meaning of the fields is each format's
// own; contexts are compared with ==.
type context struct {
	state state
	tail  tail
	arg   uint8  // which word or part of the line
	depth int    // brackets, or quotes within substitutions
	col   int    // yaml: where the line's node begins
	base  int    // yaml: the indentation of what a node hangs on
	fold  int    // yaml: lines indented by more go on with the plain scalar; noFold
	plain plain  // yaml: what is known of that scalar
	word  string // the first word of the directive; unknown when branches differ
	dead  bool   // after break and continue: nothing comes here
}

// A state is a format's own; 0 is where a file begins.
type state uint8

// lost is the state in which the text before does not tell what a value
// would be; reason in word.
const lost state = 255

// barred is the state in which a value, here or before, cannot stand where it
// does, whatever it is; where in word.
const barred state = 254

// unknown is the word where branches differ or a value is printed.
const unknown = "?"

func joinWords(a, b *context) {
	if a.word != b.word {
		a.word, b.word = unknown, unknown
	}
}

// A tail is what the text right before ends with.
type tail uint8

const (
	noTail     tail = iota
	tailEscape      // a backslash that takes the next character
	tailDollar      // a dollar sign
	tailName        // a dollar sign and the beginning of a name
	tailLine        // a line break, and maybe dashes or dots
)

// A spot is the context of one value and what follows it.
type spot struct {
	context
	port  bool // a colon and a port follow
	whole bool // whatever follows ends the word
	limit int  // bytes that a value may have
	most  int  // bytes that it may print; 0: any number
}

// A grammar is how a format is read and how values are printed into it.
type grammar struct {
	start context // of a file
	// scan returns the context after the literal text s at c.
	scan func(c context, s string) context
	// after returns the context after a value at c, or why there can be none.
	after func(c context) (next context, why string)
	// afterRaw returns the context after a value at c that is printed as it
	// is; nil when it makes no difference.
	afterRaw func(c context) context
	// ends reports whether the literal text next ends the word before it;
	// nil when that does not matter.
	ends func(c context, next string, last bool) bool
	// limit returns how many bytes a value may print at c, with next to come;
	// nil when that does not matter.
	limit func(c context, next string) int
	// brackets reports whether IPv6 addresses are bracketed at c even when no
	// port follows.
	brackets func(c context) bool
	// join returns the context that stands for both a and b, which differ.
	join func(a, b context) (context, bool)
	// print appends v, whose text is valid in length, or says why not.
	print func(dst []byte, at spot, v *value) ([]byte, string)
	// where names a context, for messages.
	where func(c context) string
}

// grammarOf returns the grammar of a format.
func grammarOf(f Format) *grammar {
	switch f {
	case Nginx:
		return nginxGrammar()
	case Haproxy:
		return haproxyGrammar()
	case INI:
		return iniGrammar()
	case YAML:
		return yamlGrammar()
	case JSON:
		return jsonGrammar()
	case TOML:
		return tomlGrammar()
	case Shell:
		return shellGrammar()
	case Hosts:
		return hostsGrammar()
	case VCL:
		return vclGrammar()
	case Keepalived:
		return keepalivedGrammar()
	}
	return textGrammar()
}

// joined returns the context that stands for both a and b.
func (g *grammar) joined(a, b context) (context, bool) {
	switch {
	case a.dead:
		return b, true
	case b.dead, a == b:
		return a, true
	case a.state == lost:
		return a, true
	case b.state == lost:
		return b, true
	}
	if g.join == nil {
		return a, false
	}
	return g.join(a, b)
}

// show appends v in the place at; the second result is "" or why it is refused.
func (g *grammar) show(dst []byte, at *spot, v *value) ([]byte, string) {
	switch v.kind {
	case isRaw:
		return append(dst, v.text...), ""
	case isBad:
		return dst, v.why
	case isOther:
		if weigh(reflect.ValueOf(v.other), at.limit, 0) > at.limit {
			return dst, "it is too large, or nested too deep"
		}
	case isAddr:
		if !v.addr.IsValid() {
			return dst, "there is no address"
		}
		if v.addr.Zone() != "" {
			return dst, "the address has a zone"
		}
		a := v.addr.Unmap()
		v.text = a.String()
		if a.Is6() && (at.port || g.brackets != nil && g.brackets(at.context)) {
			v.text = "[" + v.text + "]"
		}
	}
	if len(v.text) > at.limit {
		return dst, fmt.Sprintf("it has %d bytes: the limit is %d", len(v.text), at.limit)
	}
	mark := len(dst)
	dst, why := g.print(dst, *at, v)
	if n := len(dst) - mark; why == "" && v.kind == isOther && n > at.limit {
		why = fmt.Sprintf("it has %d bytes: the limit is %d", n, at.limit)
	} else if why == "" && at.most > 0 && n > at.most {
		why = fmt.Sprintf("it prints %d bytes: the limit is %d here", n, at.most)
	}
	if why != "" {
		dst = dst[:mark]
	}
	return dst, why
}

// scalar returns the text of a value that is printed as one word, or why it
// cannot be.
func (v *value) scalar() (text, why string) {
	switch v.kind {
	case isNull:
		return "", "there is no value"
	case isOther:
		return "", fmt.Sprintf("a %s cannot be printed here", kindOf(v.other))
	case isQuoted:
		return quotedText{v.text, v.quote}.String(), ""
	}
	return v.text, ""
}

// asJSON appends the JSON of a list, a dictionary or the like.
func (v *value) asJSON(dst []byte) ([]byte, string) {
	dst, err := appendJSON(dst, v.other, 0)
	if err != nil {
		return dst, err.Error()
	}
	return dst, ""
}

// jsonOK says why the output of toJson cannot be printed, or "".
func jsonOK(s string) string {
	if !utf8.ValidString(s) {
		return "it has " + notUTF8
	}
	for _, r := range s {
		if hidden(r) && r != '\n' {
			return "it has " + describe(r)
		}
	}
	return ""
}

// comment says why s cannot stand in a comment, or "".
func comment(s string) string { return inLine(s, "in a comment") }

// inLine says why s cannot stand in a line of which nothing else is known, or
// "". A backslash at the end would take the next line in: systemd before
// version 254 continues even comments.
func inLine(s, where string) string {
	if strings.HasSuffix(s, `\`) {
		return "it ends with a backslash, which may take in the next line"
	}
	return refused(s, commentable, unhidden, where)
}

var commentable = allBut("")

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

func isName(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
