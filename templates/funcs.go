package templates

import (
	"fmt"
	"maps"
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

// native names text/template's own functions that templates may use. Its
// call is left out: there is nothing to call.
var native = strings.Fields("and or not eq ne lt le gt ge len index html js urlquery")

// functions returns what t's templates can call, bound to t's execution.
func (t *Template) functions() template.FuncMap {
	fm := template.FuncMap{}
	all := sprig.GenericFuncMap()
	for _, name := range hermetic {
		fm[name] = t.lenient(all[name])
	}
	maps.Copy(fm, dictFunctions())
	maps.Copy(fm, t.textFunctions())
	maps.Copy(fm, t.memberFunctions())
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
	case func(string, string, string) string:
		return func(a, b, c any) string { return f(s(a), s(b), s(c)) }
	case func(string, string, string) (string, error):
		return func(a, b, c any) (string, error) { return f(s(a), s(b), s(c)) }
	case func(string, string, int) []string:
		return func(a, b any, n int) []string { return f(s(a), s(b), n) }
	case func(string, string, int) ([]string, error):
		return func(a, b any, n int) ([]string, error) { return f(s(a), s(b), n) }
	case func(int, string) string:
		return func(n int, a any) string { return f(n, s(a)) }
	case func(int, int, string) string:
		return func(n, m int, a any) string { return f(n, m, s(a)) }
	case func(int, string, string) string:
		return func(n int, a, b any) string { return f(n, s(a), s(b)) }
	case func(string, int, string) map[string]string:
		return func(a any, n int, b any) map[string]string { return f(s(a), n, s(b)) }
	}
	return f
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
