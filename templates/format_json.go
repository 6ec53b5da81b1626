package templates

import "unicode/utf8"

// JSON, RFC 8259. Outside strings every value is printed as a complete JSON
// value; inside, escaped.
const (
	jsOutside state = iota
	jsString
)

func jsonGrammar() *grammar {
	return &grammar{
		scan: scanJSON, after: afterJSON, print: printJSON,
		where: func(c context) string { return [...]string{"outside strings", "in a string"}[c.state] },
	}
}

func scanJSON(c context, s string) context {
	for i := range len(s) {
		switch b := s[i]; {
		case c.tail == tailEscape:
			c.tail = noTail
		case b == '"':
			c.state ^= jsString
		case b == '\\' && c.state == jsString:
			c.tail = tailEscape
		}
	}
	return c
}

func afterJSON(c context) (context, string) {
	if c.tail == tailEscape {
		return c, "right after a backslash"
	}
	return c, ""
}

func printJSON(dst []byte, at spot, v *value) ([]byte, string) {
	if at.state == jsString {
		s, why := v.scalar()
		if why != "" {
			return dst, why
		}
		return escapeJSON(dst, s)
	}
	switch v.kind {
	case isNull:
		return append(dst, "null"...), ""
	case isNumber, isBool:
		return append(dst, v.text...), ""
	case isOther:
		return v.asJSON(dst)
	case isJSON:
		return append(dst, v.text...), jsonOK(v.text)
	}
	dst, why := escapeJSON(append(dst, '"'), v.text)
	return append(dst, '"'), why
}

// escapeJSON escapes s for between the double quotes of JSON, YAML and TOML.
func escapeJSON(dst []byte, s string) ([]byte, string) {
	if !utf8.ValidString(s) {
		return dst, "it has " + notUTF8
	}
	return appendJSONEscaped(dst, s), ""
}
