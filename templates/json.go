package templates

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"unicode/utf8"

	"muster/cluster"
)

// maxDepth bounds how deep lists and dictionaries are printed.
const maxDepth = 32

// appendJSON appends v as JSON, on one line. Dictionaries are sorted by key.
// It refuses what has no JSON: bytes that are not UTF-8, functions, ….
func appendJSON(dst []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case string:
		return appendJSONText(dst, v)
	case cluster.Member:
		return appendMember(dst, &v, depth)
	case *cluster.Member:
		return appendMember(dst, v, depth)
	case Service:
		return appendJSONDict(dst, v.dict(), depth)
	case *Service:
		return appendJSONDict(dst, v.dict(), depth)
	case netip.Addr:
		return appendJSONText(dst, v.String())
	case nil:
		return append(dst, "null"...), nil
	}
	val := valueOf(reflect.ValueOf(v))
	switch val.kind {
	case isNull:
		return append(dst, "null"...), nil
	case isNumber, isBool:
		return append(dst, val.text...), nil
	case isText, isRaw, isJSON, isQuoted:
		return appendJSONText(dst, val.text)
	case isAddr:
		return appendJSONText(dst, val.addr.String())
	}
	if val.kind == isBad {
		return dst, errors.New(val.why)
	}
	r := reflect.ValueOf(val.other)
	switch {
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Array:
		return appendJSONList(dst, r, depth)
	case r.Kind() == reflect.Map:
		m, err := asDict(val.other)
		if err != nil {
			return dst, err
		}
		return appendJSONDict(dst, m, depth)
	}
	return dst, fmt.Errorf("a %s cannot be printed", kindOf(val.other))
}

func appendJSONList(dst []byte, list reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, list.Index(i).Interface(), depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendJSONDict(dst []byte, m map[string]any, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i, k := range sortedKeys(m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSONText(dst, k); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, m[k], depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendMember appends a member in the shape of its JSON tags.
func appendMember(dst []byte, m *cluster.Member, depth int) ([]byte, error) {
	dst, err := appendJSONText(append(dst, `{"name":`...), m.Name)
	if err != nil {
		return dst, err
	}
	if dst, err = appendJSONText(append(dst, `,"addr":`...), m.Addr.String()); err != nil {
		return dst, err
	}
	dst = fmt.Appendf(dst, `,"port":%d,"status":`, m.Port)
	if dst, err = appendJSONText(dst, string(m.Status)); err != nil {
		return dst, err
	}
	tags, err := asDict(m.Tags)
	if err != nil {
		return dst, err
	}
	dst, err = appendJSONDict(append(dst, `,"tags":`...), tags, depth+1)
	return append(dst, '}'), err
}

// appendJSONText appends s as a JSON string.
func appendJSONText(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("it has %s", notUTF8)
	}
	dst = append(dst, '"')
	dst = appendJSONEscaped(dst, s)
	return append(dst, '"'), nil
}

// appendJSONEscaped appends valid UTF-8 escaped for between the quotes of a
// string in JSON, and in YAML and TOML, whose escapes include these. What is
// beyond \uffff is not escaped: each of the three does that in its own way.
func appendJSONEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case hidden(r) && r <= 0xffff:
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
