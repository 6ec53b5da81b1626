package templates

import (
	"bytes"
	"regexp"
	"strings"
)

// nginx, after ngx_conf_read_token in src/core/ngx_conf_file.c: words end at
// a blank, a semicolon or an opening brace; quotes and # count at a word's
// beginning only; a backslash takes the next character; $ begins a variable
// everywhere outside comments and cannot be escaped.
const (
	ngStart   state = iota // before a word
	ngMid                  // in a bare word
	ngEither               // before or in a word: branches differ
	ngDouble               // in double quotes
	ngSingle               // in single quotes
	ngAfter                // right after a closing quote
	ngComment              // after #
)

// The context's col is 1 right after an opening quote: a word begins there too.
// depth is 1 in a word into which a value has been printed.

var (
	nginxBare   = allBut(" ;{}\"'$\\")
	nginxQuoted = allBut("$").and("\t")
)

func nginxGrammar() *grammar {
	return &grammar{
		scan: scanNginx, after: afterNginx, print: printNginx,
		brackets: func(c context) bool {
			bare := c.state == ngStart || c.state == ngMid || c.state == ngEither
			plain := c.arg == 0 || c.word == "allow" || c.word == "deny" || c.word == "set_real_ip_from"
			return bare && !plain
		},
		join: func(a, b context) (context, bool) {
			joinWords(&a, &b)
			a.arg, b.arg = max(a.arg, b.arg), max(a.arg, b.arg)
			a.tail, b.tail = max(a.tail, b.tail), max(a.tail, b.tail)
			a.col, b.col = max(a.col, b.col), max(a.col, b.col)
			a.depth, b.depth = max(a.depth, b.depth), max(a.depth, b.depth)
			if a.state <= ngEither && b.state <= ngEither && a.state != b.state {
				a.state, b.state = ngEither, ngEither
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "at a word", "in double quotes", "in single quotes",
				"after a closing quote", "in a comment"}[c.state]
		},
	}
}

func scanNginx(c context, s string) context {
	for i := range len(s) {
		if c = stepNginx(c, s[i]); c.state == lost {
			break
		}
	}
	return c
}

func stepNginx(c context, b byte) context {
	switch {
	case c.state == ngComment:
		if b == '\n' {
			c.state = ngStart
		}
		return c
	case c.tail == tailEscape:
		c.tail = noTail
		return c
	case c.tail == tailDollar && (b == '{' || isName(b)), c.tail == tailName && isName(b):
		c.tail = tailName
		return c
	}
	c.tail, c.col = noTail, 0
	switch b {
	case '\\':
		c.tail = tailEscape
	case '$':
		c.tail = tailDollar
	}
	switch c.state {
	case ngDouble:
		if b == '"' {
			c.state = ngAfter
		}
	case ngSingle:
		if b == '\'' {
			c.state = ngAfter
		}
	default:
		c = stepNginxBare(c, b)
	}
	return c
}

func stepNginxBare(c context, b byte) context {
	switch {
	case isBlank(b) || b == '\n':
		if c.state != ngStart {
			c.arg = 1
		}
		c.state, c.depth = ngStart, 0
	case b == ';' || b == '{' || b == '}' && c.state == ngStart:
		c.state, c.arg, c.depth, c.word = ngStart, 0, 0, ""
	case c.state == ngEither && (b == '"' || b == '\'' || b == '#' || b == '}'):
		c = context{state: lost, word: "a quote, a # or a } follows branches of which only some end within a word"}
	case c.state == ngStart && b == '#':
		c.state, c.tail = ngComment, noTail
	case c.state == ngStart && b == '"':
		c.state, c.col = ngDouble, 1
	case c.state == ngStart && b == '\'':
		c.state, c.col = ngSingle, 1
	default:
		c.state = ngMid
		if c.arg == 0 && len(c.word) < 32 {
			c.word += string(b)
		}
	}
	return c
}

func afterNginx(c context) (context, string) {
	switch {
	case c.state == ngComment:
		return c, ""
	case c.tail == tailEscape:
		return c, "right after a backslash"
	case c.tail != noTail:
		return c, "right after the name of a variable: it would become part of the name"
	case c.state == ngAfter:
		return c, "right after a closing quote"
	case c.state == ngStart || c.state == ngEither:
		c.state = ngMid
		if c.arg == 0 {
			c.word = unknown
		}
	}
	c.col, c.depth = 0, 1
	return c, ""
}

func printNginx(dst []byte, at spot, v *value) ([]byte, string) {
	if v.kind == isQuoted && at.state == ngStart {
		at.state = ngDouble
		if v.quote == '\'' {
			at.state = ngSingle
		}
		at.col = 1
		dst, why := printNginx(append(dst, v.quote), at, &value{text: v.text})
		return append(dst, v.quote), why
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	if why := wordNginx(dst, &at, v.kind, s); why != "" {
		return dst, why
	}
	switch at.state {
	case ngComment:
		return append(dst, s...), comment(s)
	case ngDouble, ngSingle:
		quote := byte('"')
		if at.state == ngSingle {
			quote = '\''
		}
		return escapeNginx(dst, s, quote)
	}
	if at.state != ngMid && s == "" {
		return dst, "it is empty, and a word would be missing"
	}
	if at.state != ngMid && s[0] == '#' {
		return dst, "it begins with #, which begins a comment"
	}
	return append(dst, s...), refused(s, nginxBare, unspaced, "in a bare word of nginx")
}

// wordNginx says why s cannot come after dst in a word, or "": some words mean
// something else than themselves.
func wordNginx(dst []byte, at *spot, k kind, s string) string {
	if at.state == ngComment || k == isNumber || k == isAddr {
		return ""
	}
	if socketNginx(dst, at, s) {
		return "it names a Unix socket of this host"
	}
	if at.state == ngMid || (at.state == ngDouble || at.state == ngSingle) && at.col == 0 && !opensQuote(dst) {
		return ""
	}
	switch {
	case strings.HasPrefix(s, "~"):
		return "it begins with ~, which begins a regular expression"
	case at.arg == 0:
		// Of map, geo and split_clients, where names and addresses stand first.
		switch s {
		case "include", "default", "hostnames", "volatile", "delete", "proxy", "proxy_recursive", "ranges", "*":
			return "it is a word of nginx's own there"
		}
	}
	return ""
}

// opensQuote reports whether dst ends with a quote: then what has been printed
// since an opening one is empty.
func opensQuote(dst []byte) bool {
	return len(dst) > 0 && (dst[len(dst)-1] == '"' || dst[len(dst)-1] == '\'')
}

// unixSocket matches what makes an address or a URL name a Unix socket: nginx
// takes the scheme in any case (ngx_parse_url in src/core/ngx_inet.c).
var (
	unixSocket = regexp.MustCompile(`(?i)(^|[^a-z0-9_.-])unix:`)
	unixScheme = regexp.MustCompile(`(?i)(^|[^a-z0-9_.-])unix$`)
)

// socketNginx reports whether s, after dst, makes its word name a Unix socket:
// by itself, or together with the values printed into the word before it, as in
// {{.Tags.host}}:{{.Tags.port}}. What the template's own text says is the author's.
func socketNginx(dst []byte, at *spot, s string) bool {
	back := 1
	if at.depth == 1 {
		back += len("unix:")
	}
	before := dst[max(len(dst)-back, 0):]
	if !at.port && strings.IndexByte(s, ':') < 0 && bytes.IndexByte(before, ':') < 0 {
		return false
	}
	word := string(before) + s
	return unixSocket.MatchString(word) || at.port && unixScheme.MatchString(word)
}

// escapeNginx escapes s for between quotes: tabs and the quotes have escapes
// there (the second half of ngx_conf_read_token). So have line breaks, but as a
// part of a header (add_header, proxy_set_header) or of a log's format nginx
// prints them as they are: they would begin a header or a line of their own.
func escapeNginx(dst []byte, s string, quote byte) ([]byte, string) {
	for i := range len(s) {
		switch b := s[i]; b {
		case '\t':
			dst = append(dst, `\t`...)
		case '\\', quote:
			dst = append(dst, '\\', b)
		default:
			dst = append(dst, b)
		}
	}
	return dst, refused(s, nginxQuoted, unhidden, "in a string of nginx")
}
