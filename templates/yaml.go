package templates

import "strings"

var (
	yamlGlue  = chars(alnum + "_.-/@+")
	yamlPlain = chars(alnum + "_.-/")
)

// maxYAMLKey bounds a part of what may be a key, in bytes: readers take a key
// without a question mark for one up to 1024 characters (section 7.4.2).
const maxYAMLKey = 500

func afterYAML(c context) (context, string) {
	switch c.state {
	case ymDouble, ymSingle:
		switch c.tail {
		case tailEscape:
			return c, "right after a backslash"
		case tailLine:
			return c, "at the beginning of a line in quotes, where --- and ... are marks: indent the line"
		}
	case ymComment:
	case ymBlock, ymIndent:
		switch {
		case c.state == ymIndent && c.col <= c.base:
			c.state, c.base = ymLine, -1
			return afterYAML(c)
		case c.col == 0:
			return c, "in a line of a block scalar that is not indented, where --- and ... are marks: indent it"
		}
		c.state = ymBlock
	case ymQuote, ymClosed:
		return c, "after a closing quote or bracket"
	case ymHead:
		return c, "in the head of a block scalar"
	case ymProp:
		return c, "in the name of a tag, an anchor or an alias: it would choose what the reader makes of the rest"
	case ymMark:
		return c, "right after --- or ..."
	default:
		return valueInPlain(c), ""
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

// limitYAML returns maxYAMLKey where a value may be a key.
func limitYAML(c context, next string) int {
	line, _, complete := strings.Cut(next, "\n")
	switch {
	case c.state == ymComment || c.state == ymBlock || c.state == ymIndent && c.col > c.base,
		c.depth == 0 && c.arg == ymKey,
		c.depth == 0 && complete && !strings.Contains(line, ":"):
		return 0
	}
	return maxYAMLKey
}

func printYAML(dst []byte, at spot, v *value) ([]byte, string) {
	switch at.state {
	case ymDouble, ymSingle, ymComment, ymBlock:
		return quotedYAML(dst, at.state, v)
	case ymIndent:
		if at.col > at.base && v.text == "" && v.kind != isOther {
			return dst, "it is empty, and a line's indentation would change"
		} else if at.col > at.base {
			return quotedYAML(dst, ymBlock, v)
		}
	}
	whole := at.whole && (at.state == ymLine || at.state == ymStart || at.state == ymIndent)
	switch {
	case v.kind == isNull && whole:
		return append(dst, "null"...), ""
	case v.kind == isOther && whole:
		return v.asJSON(dst)
	case v.kind == isJSON && whole:
		return append(dst, v.text...), jsonOK(v.text)
	case v.kind == isNumber, v.kind == isBool:
		return append(dst, v.text...), ""
	case v.kind == isNull, v.kind == isOther:
		_, why := v.scalar()
		return dst, why
	case !whole:
		return gluedYAML(dst, at, v)
	case v.kind != isQuoted && isPlainYAML(v.text, v.kind == isAddr):
		return append(dst, v.text...), ""
	}
	dst, why := escapeJSON(append(dst, '"'), v.text)
	return append(dst, '"'), why
}

func quotedYAML(dst []byte, st state, v *value) ([]byte, string) {
	s, why := v.scalar()
	switch {
	case why != "":
		return dst, why
	case st == ymDouble:
		return escapeJSON(dst, s)
	case st == ymSingle:
		return append(dst, strings.ReplaceAll(s, "'", "''")...), refused(s, commentable, unhidden, "in single quotes")
	case st == ymBlock && strings.HasPrefix(s, " "):
		return dst, "it begins with a space, which a block scalar takes for indentation"
	}
	where := "in a comment"
	if st == ymBlock {
		where = "in a block scalar"
	}
	return append(dst, s...), refused(s, commentable, unhidden, where)
}

// gluedYAML prints a part of a plain scalar.
func gluedYAML(dst []byte, at spot, v *value) ([]byte, string) {
	s, why := v.scalar()
	begins := at.state != ymMid && at.state != ymColon
	line := at.state == ymLine || at.state == ymIndent || at.state == ymEither
	switch {
	case why != "":
		return dst, why
	case begins && s == "":
		return dst, "it is empty, and a scalar would be missing"
	case at.state == ymColon && s == "":
		return dst, "it is empty, and the colon before it would end a key"
	case begins && s[0] != '/' && s[0] != '.' && !isName(s[0]) && v.kind != isAddr:
		return dst, "a plain scalar cannot begin with " + describe(rune(s[0]))
	case line && s != "" && s[0] == '.':
		return dst, "it begins a line with a dot, and three of them end the document"
	case v.kind == isAddr:
		return append(dst, s...), gluedAddrYAML(s, begins, at.depth > 0)
	}
	return append(dst, s...), refused(s, yamlGlue, onlyASCII, "in a part of a plain scalar")
}

// gluedAddrYAML says why the address s cannot be a part of a plain scalar, or "".
func gluedAddrYAML(s string, begins, flow bool) string {
	switch {
	case begins && s[0] == '[':
		return "its bracket would begin a list"
	case flow && strings.Contains(s, ":"):
		return "an address with colons cannot be a part of a plain scalar within brackets"
	case strings.HasSuffix(s, ":"):
		return "it ends with a colon, which would make it a key"
	}
	return ""
}

// isPlainYAML reports whether s, unquoted, is the string s to every reader.
func isPlainYAML(s string, address bool) bool {
	if s == "" || address && strings.Contains(s, ":") || offence(s, yamlPlain, onlyASCII) != "" {
		return false
	}
	if address {
		return true
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		return false
	}
	return s[0] == '/' || s[0] == '_' || s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z'
}
