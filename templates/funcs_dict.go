package templates

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"text/template"
)

// dictFunctions are sprig's functions on dictionaries, with two differences:
// what comes from a map comes out sorted by key, and a member's tags are
// taken for a dictionary too. merge and its kin return a new dictionary.
func (t *Template) dictFunctions() template.FuncMap {
	mergeFirst := func(ds ...any) (map[string]any, error) {
		t.spend(weigh(reflect.ValueOf(ds), maxSteps, 0))
		return merge(ds)
	}
	mergeLast := func(ds ...any) (map[string]any, error) {
		t.spend(weigh(reflect.ValueOf(ds), maxSteps, 0))
		ds = slices.Clone(ds)
		slices.Reverse(ds)
		return merge(ds)
	}
	return template.FuncMap{
		"keys": keys, "values": values, "get": get, "hasKey": hasKey,
		"pick": pick, "omit": omit, "pluck": pluck, "dig": dig,
		"set": func(d map[string]any, key string, v any) (map[string]any, error) {
			t.spend(weigh(reflect.ValueOf(v), maxSteps, 0))
			return set(d, key, v)
		},
		"unset": unset,
		"merge": mergeFirst, "mustMerge": mergeFirst,
		"mergeOverwrite": mergeLast, "mustMergeOverwrite": mergeLast,
	}
}

// asDict returns d as a dictionary; a copy, when it is not one already.
func asDict(d any) (map[string]any, error) {
	switch d := d.(type) {
	case map[string]any:
		return d, nil
	case map[string]string:
		m := make(map[string]any, len(d))
		for k, v := range d {
			m[k] = v
		}
		return m, nil
	case nil:
		return nil, nil
	}
	v := reflect.ValueOf(d)
	if v.Kind() != reflect.Map || v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("it takes a dictionary, not a %s", kindOf(d))
	}
	m := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		m[it.Key().String()] = it.Value().Interface()
	}
	return m, nil
}

func keys(ds ...any) ([]string, error) {
	list := []string{}
	for _, d := range ds {
		m, err := asDict(d)
		if err != nil {
			return nil, err
		}
		list = append(list, slices.Sorted(maps.Keys(m))...)
	}
	return list, nil
}

func values(d any) ([]any, error) {
	m, err := asDict(d)
	list := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list, err
}

func get(d any, key string) (any, error) {
	m, err := asDict(d)
	if v, ok := m[key]; ok || err != nil {
		return v, err
	}
	return "", nil
}

func hasKey(d, key any) (bool, error) {
	m, err := asDict(d)
	name, _ := plainText(key)
	_, ok := m[name]
	return ok, err
}

func pick(d any, names ...string) (map[string]any, error) {
	m, err := asDict(d)
	picked := map[string]any{}
	for _, k := range names {
		if v, ok := m[k]; ok {
			picked[k] = v
		}
	}
	return picked, err
}

func omit(d any, names ...string) (map[string]any, error) {
	m, err := asDict(d)
	rest := map[string]any{}
	for k, v := range m {
		if !slices.Contains(names, k) {
			rest[k] = v
		}
	}
	return rest, err
}

func pluck(key string, ds ...any) ([]any, error) {
	list := []any{}
	for _, d := range ds {
		m, err := asDict(d)
		if err != nil {
			return nil, err
		}
		if v, ok := m[key]; ok {
			list = append(list, v)
		}
	}
	return list, nil
}

// dig walks down: dig "a" "b" DEFAULT DICT.
func dig(args ...any) (any, error) {
	if len(args) < 3 {
		return nil, fmt.Errorf("it takes keys, a default and a dictionary")
	}
	path, otherwise, d := args[:len(args)-2], args[len(args)-2], args[len(args)-1]
	for _, key := range path {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("its keys are strings, not a %s", kindOf(key))
		}
		m, err := asDict(d)
		if err != nil {
			return nil, err
		}
		if d, ok = m[name]; !ok {
			return otherwise, nil
		}
	}
	return d, nil
}

// set changes a dictionary that the template made. Nothing may contain
// itself: printing it would never end.
func set(d map[string]any, key string, v any) (map[string]any, error) {
	if contains(reflect.ValueOf(v), reflect.ValueOf(d).Pointer(), 0) {
		return nil, fmt.Errorf("the dictionary would contain itself")
	}
	d[key] = v
	return d, nil
}

func unset(d map[string]any, key string) map[string]any {
	delete(d, key)
	return d
}

// contains reports whether v holds the map at pointer p, or is too deep to tell.
func contains(v reflect.Value, p uintptr, depth int) bool {
	if depth > maxDepth {
		return true
	}
	switch v.Kind() {
	case reflect.Interface:
		return contains(v.Elem(), p, depth)
	case reflect.Map:
		if v.Pointer() == p {
			return true
		}
		for it := v.MapRange(); it.Next(); {
			if contains(it.Value(), p, depth+1) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k != reflect.Interface && k != reflect.Map && k != reflect.Slice {
			return false
		}
		for i := range v.Len() {
			if contains(v.Index(i), p, depth+1) {
				return true
			}
		}
	}
	return false
}

// merge returns a new dictionary with what ds hold; where two hold the same
// key, the earlier one wins, and dictionaries are merged in turn.
func merge(ds []any) (map[string]any, error) {
	out := map[string]any{}
	for _, d := range ds {
		m, err := asDict(d)
		if err != nil {
			return nil, err
		}
		for k, v := range m {
			have, ok := out[k]
			a, isDict := have.(map[string]any)
			b, both := v.(map[string]any)
			switch {
			case !ok:
				out[k] = v
			case isDict && both:
				if out[k], err = merge([]any{a, b}); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}
