package templates

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// hermetic names the sprig functions that are taken over as they are, or with
// parameters that take any value for a string. An allow list: what a later
// sprig adds is looked at first. Missing on purpose is what reads the clock,
// the environment, the network or randomness, and what makes keys.
var hermetic = strings.Fields(`
abbrev abbrevboth trunc trim upper lower title untitle substr trimall trimAll trimSuffix trimPrefix
nospace initials swapcase snakecase camelcase kebabcase wrap wrapWith contains hasPrefix hasSuffix
cat replace plural sha1sum sha256sum sha512sum adler32sum toString
atoi int64 int float64 toDecimal add1 add sub div mod mul add1f addf subf divf mulf
biggest max min maxf minf ceil floor round duration
join sortAlpha split splitList splitn toStrings
default empty coalesce all any compact mustCompact ternary deepCopy mustDeepCopy fromJson mustFromJson
typeOf typeIs typeIsLike kindOf kindIs deepEqual
base dir clean ext isAbs osBase osDir osClean osExt osIsAbs b64enc b32enc
tuple list dict append push mustAppend mustPush prepend mustPrepend first mustFirst rest mustRest last mustLast
initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has mustHas slice mustSlice concat chunk mustChunk
semver semverCompare urlParse urlJoin
regexMatch mustRegexMatch regexFind mustRegexFind regexFindAll mustRegexFindAll regexReplaceAll mustRegexReplaceAll
regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta`)

// walking names those of them that go through lists and dictionaries, or copy
// them: what they are given and what they return is weighed.
var walking = strings.Fields(`
cat join sortAlpha toString toStrings concat append push mustAppend mustPush prepend mustPrepend rest mustRest
initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has mustHas slice mustSlice
chunk mustChunk compact mustCompact deepCopy mustDeepCopy deepEqual`)

// native names text/template's own functions that templates may use. Its
// call is left out: there is nothing to call.
var native = strings.Fields("and or not eq ne lt le gt ge len index")

// functions returns what t's templates can call, bound to t's execution.
func (t *Template) functions() template.FuncMap {
	fm := template.FuncMap{}
	all := sprig.GenericFuncMap()
	for _, name := range hermetic {
		fm[name] = t.lenient(all[name])
	}
	maps.Copy(fm, t.dictFunctions())
	maps.Copy(fm, t.textFunctions())
	maps.Copy(fm, t.memberFunctions())
	fm["promLabels"] = t.promLabels(fm["toString"].(func(any) string))
	for _, name := range walking {
		fm[name] = t.weighed(fm[name])
	}
	return fm
}

// functionNames lists what a template may call, sorted.
func functionNames(fm template.FuncMap) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for n := range fm {
			if !yield(n) {
				return
			}
		}
		for _, n := range native {
			if !yield(n) {
				return
			}
		}
	})
}

// lenient returns f with its string parameters taking any value, so that an
// address or a status can go through the string functions. text/template
// turns the panics of str into errors of the call.
func (t *Template) lenient(f any) any {
	s := t.str
	switch f := f.(type) {
	case func(string) string:
		return func(a any) string { return f(s(a)) }
	case func(string) bool:
		return func(a any) bool { return f(s(a)) }
	case func(string) int:
		return func(a any) int { return f(s(a)) }
	case func(string) any:
		return func(a any) any { return f(s(a)) }
	case func(string) (any, error):
		return func(a any) (any, error) { return f(s(a)) }
	case func(string) map[string]any:
		return func(a any) map[string]any { return f(s(a)) }
	case func(string, string) string:
		return func(a, b any) string { return f(s(a), s(b)) }
	case func(string, string) bool:
		return func(a, b any) bool { return f(s(a), s(b)) }
	case func(string, string) (bool, error):
		return func(a, b any) (bool, error) { return f(s(a), s(b)) }
	case func(string, string) (string, error):
		return func(a, b any) (string, error) { return f(s(a), s(b)) }
	case func(string, string) []string:
		return func(a, b any) []string { return f(s(a), s(b)) }
	case func(string, string) map[string]string:
		return func(a, b any) map[string]string { return f(s(a), s(b)) }
	case func(string, string, string) string: // replace, regexReplaceAll, …
		return func(a, b, c any) (string, error) {
			if err := replaceable(s(b), s(c)); err != nil {
				return "", err
			}
			return f(s(a), s(b), s(c)), nil
		}
	case func(string, string, string) (string, error):
		return func(a, b, c any) (string, error) {
			if err := replaceable(s(b), s(c)); err != nil {
				return "", err
			}
			return f(s(a), s(b), s(c))
		}
	case func(string, string, int) []string:
		return func(a, b any, n int) []string { return f(s(a), s(b), n) }
	case func(string, string, int) ([]string, error):
		return func(a, b any, n int) ([]string, error) { return f(s(a), s(b), n) }
	case func(int, string) string:
		return func(n int, a any) string { return f(n, s(a)) }
	case func(int, int, string) string:
		return func(n, m int, a any) string { return f(n, m, s(a)) }
	case func(int, string, string) string: // wrapWith
		return func(n int, a, b any) (string, error) {
			if err := replaceable(s(a), s(b)); err != nil {
				return "", err
			}
			return f(n, s(a), s(b)), nil
		}
	case func(string, int, string) map[string]string:
		return func(a any, n int, b any) map[string]string { return f(s(a), n, s(b)) }
	}
	return f
}

// replaceable says whether b can be put into each place of a, or a of b.
func replaceable(a, b string) error {
	if n := (len(a) + 1) * (len(b) + 1); n > 4*maxString {
		return fmt.Errorf("its result might have %d bytes", n)
	}
	return nil
}

// weighed returns f, spending what its arguments and its result weigh.
func (t *Template) weighed(f any) any {
	v := reflect.ValueOf(f)
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		for _, arg := range args {
			t.spend(weigh(arg, maxSteps, 0))
		}
		var out []reflect.Value
		if v.Type().IsVariadic() {
			out = v.CallSlice(args)
		} else {
			out = v.Call(args)
		}
		switch r := out[0]; {
		case r.Kind() == reflect.String && r.Len() > maxString:
			panic(fmt.Errorf("its result has %d bytes: the limit is %d", r.Len(), maxString))
		case r.Kind() == reflect.Slice && r.Len() > maxList:
			panic(fmt.Errorf("its result has %d elements: the limit is %d", r.Len(), maxList))
		}
		t.spend(weigh(out[0], maxSteps, 0))
		return out
	}).Interface()
}

// weigh returns what it costs to go through v: about its elements, and a
// kilobyte of its texts for one. Of v that weighs more than limit, or is
// nested too deep, it says only that: limit+1.
func weigh(v reflect.Value, limit, depth int) int {
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return 1
	}
	n := 1
	if depth > maxDepth {
		return limit + 1
	}
	switch v.Kind() {
	case reflect.String:
		n += v.Len() / 1024
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Interface, reflect.Slice, reflect.Map, reflect.String:
			for i := 0; i < v.Len() && n <= limit; i++ {
				n += weigh(v.Index(i), limit-n, depth+1)
			}
		default:
			n += v.Len()
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next() && n <= limit; {
			n += 1 + weigh(it.Value(), limit-n, depth+1)
		}
	}
	return min(n, limit+1)
}

// str returns the text of a value that a function wants as a string.
func (t *Template) str(v any) string {
	s, ok := plainText(v)
	if !ok {
		panic(fmt.Errorf("it takes a string, not a %s", kindOf(v)))
	}
	t.spend(1 + len(s)/1024)
	return s
}

// spend counts n steps of work and panics with errSteps when the execution
// has done more than any sensible template needs.
func (t *Template) spend(n int) {
	t.run.steps -= n
	if t.run.steps < 0 || n < 0 {
		panic(errSteps)
	}
}
