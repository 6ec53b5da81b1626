package templates

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"muster/cluster"
)

// appendTOML appends a list or a dictionary as a TOML array or inline table.
func appendTOML(dst []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	switch x := v.(type) {
	case *cluster.Member:
		v = *x
	case Service:
		v = x.dict()
	case *Service:
		v = x.dict()
	}
	r := reflect.ValueOf(v)
	switch _, member := v.(cluster.Member); {
	case member, v == nil:
		return dst, fmt.Errorf("a %s cannot be printed", kindOf(v))
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Array:
		dst = append(dst, '[')
		for i := range r.Len() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			var err error
			if dst, err = appendTOML(dst, r.Index(i).Interface(), depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case r.Kind() == reflect.Map:
		return appendTOMLTable(dst, v, depth)
	}
	return appendJSON(dst, v, depth) // numbers, booleans, strings: the same
}

func appendTOMLTable(dst []byte, v any, depth int) ([]byte, error) {
	m, err := asDict(v)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSONText(append(dst, ' '), k); err != nil {
			return dst, err
		}
		if dst, err = appendTOML(append(dst, " = "...), m[k], depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, " }"...), nil
}
