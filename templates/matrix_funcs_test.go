package templates

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"

	"muster/cluster"
)

// What goes through a function is printed as it is printed without: there is no
// way round but raw.

// A frame is a record with one value, for each format, and how to see that
// nothing but n records has been printed.
type frame struct {
	shape string
	check func(text string, n int) error
}

// words is a frame of words of which the value is the last but tail.
func words(shape string, read func(string) ([]string, error), before []string, tail ...string) frame {
	return frame{shape, func(text string, n int) error {
		tokens, err := read(text)
		size := len(before) + 1 + len(tail)
		if err != nil || len(tokens) != n*size {
			return fmt.Errorf("%d tokens of %d records: %v", len(tokens), n, err)
		}
		for r := range slices.Chunk(tokens, size) {
			if !slices.Equal(r[:len(before)], before) || !slices.Equal(r[size-len(tail):], tail) {
				return fmt.Errorf("a record of its own: %q", r)
			}
		}
		return nil
	}}
}

// keyed checks that each record has the keys k and l, and l the value after.
func keyed(records []map[string]any, n int) error {
	if len(records) != n {
		return fmt.Errorf("%d records, not %d", len(records), n)
	}
	for _, r := range records {
		if len(r) != 2 || r["l"] != "after" {
			return fmt.Errorf("a record of its own: %v", r)
		}
	}
	return nil
}

// haproxyLines is readHaproxy without the empty line after the last.
func haproxyLines(text string) ([]string, error) {
	tokens, err := readHaproxy(text)
	return tokens[:max(len(tokens)-1, 0)], err
}

func frames() map[Format]frame {
	return map[Format]frame{
		Nginx:   words("before @ after;\n", readNginx, []string{"before"}, "after", "(;)"),
		Haproxy: words("before @ after\n", haproxyLines, []string{"before"}, "after", "(line)"),
		INI:     words("before @ after\n", readINI, []string{"before"}, "after", "(line)"),
		Hosts:   words("10.0.0.1 before @ after\n", readHosts, []string{"10.0.0.1", "before"}, "after", "(line)"),
		VCL:     words("before @ after;\n", readVCL, []string{"before"}, "after", "(;)"),
		Keepalived: words("before @ after\n", func(text string) ([]string, error) {
			tokens, err := readKeepalived(text)
			return tokens[:max(len(tokens)-1, 0)], err
		}, []string{"before"}, "after", "(line)"),
		Shell: words("before @ after\n", func(text string) (out []string, err error) {
			for line := range strings.Lines(text) {
				words, err := reader(Shell)(strings.TrimSuffix(line, "\n"))
				if err != nil {
					return nil, err
				}
				out = append(out, words...)
			}
			return out, nil
		}, []string{"before"}, "after"),
		Text: {"before @ after\n", func(text string, n int) error {
			lines := strings.Split(text, "\n")
			if len(lines) != n+1 || slices.ContainsFunc(lines[:n], func(l string) bool { return !strings.HasPrefix(l, "before ") || !strings.HasSuffix(l, " after") }) {
				return fmt.Errorf("%d lines of %d records", len(lines), n)
			}
			return nil
		}},
		YAML: {"---\nk: @\nl: after\n", func(text string, n int) error {
			var all []map[string]any
			for d := yaml.NewDecoder(strings.NewReader(text)); ; {
				var r map[string]any
				if err := d.Decode(&r); err != nil && len(all) == n {
					return keyed(all, n)
				} else if err != nil {
					return err
				}
				all = append(all, r)
			}
		}},
		JSON: {`{"k": @, "l": "after"}` + "\n", func(text string, n int) error {
			var all []map[string]any
			for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
				var r map[string]any
				if err := d.Decode(&r); err != nil {
					return err
				}
				all = append(all, r)
			}
			return keyed(all, n)
		}},
		TOML: {"[[r]]\nk = @\nl = \"after\"\n", func(text string, n int) error {
			var all struct{ R []map[string]any }
			if _, err := toml.Decode(text, &all); err != nil {
				return err
			}
			return keyed(all.R, n)
		}},
	}
}

// disguises are values that a function may turn into something else.
func disguises() []string {
	const bad = "x;}\nserver { \"'$(id)`id`{{ y: z, [a]\u202e"
	return []string{bad, "a b", `"`, "'", "\xff", "-f", "1", "a,b;c\n,d", `{"a\n\"b": ["c\nd", "$(id)"], "l": "x"}`, `["x;}\ny"]`, "http://a:b@c;d/{e}?f=\"g#h\ni", "1.2.3-x+y", "3h",
		base64.StdEncoding.EncodeToString([]byte(bad)), base32.StdEncoding.EncodeToString([]byte(bad)), "%s%v\n%d", "\\x3b\\n", "(.*)\n", "&#34;"}
}

// special are calls of functions that want a member, or more than two arguments.
var special = map[string][]string{
	"dig":         {`dig "k" "d" (dict "k" $m.Tags.x)`, `dig $m.Tags.x $m.Tags.x $m.Tags`},
	"tag":         {`tag $m "x"`, "tag $m $m.Tags.x"},
	"groupBy":     {`groupBy $.Members "x" | keys | first`, `keys (groupBy (list $m) "x") | first`},
	"groupByItem": {`keys (groupByItem (list $m) "x") | first`},
	"shuffleFor":  {"(index (shuffleFor $m.Tags.x (list $m)) 0).Tags.x", "index (shuffleFor $m.Tags.x $.Members) 0 | toJson"},
	"members":     {"index (members $m.Tags.x) 0 | toJson", "members $m.Tags.x"},
	"services":    {`(index (services $m.Tags.x) 0).Text`, `services $m.Tags.x | toJson`, `(first (services "")).Port`},
	"ternary":     {"ternary $m.Tags.x $m.Tags.x true"},
	"like":        {`$m.Tags.x | like "(?s).*"`},
	"promLabels":  {"promLabels $m (dict)", `promLabels $m (dict "labels" $m.Tags)`, `promLabels $m (dict "labels" (dict $m.Tags.x $m.Tags.x))`},
}

// calls are ways to call a function with what a member says: as each argument
// by itself, as all of them, in a list, and in a dictionary.
func calls(name string, f any) (all []string) {
	const said, list, dict = "$m.Tags.x", "(list $m.Tags.x \"b\")", "(dict \"k\" $m.Tags.x $m.Tags.x \"v\")"
	var params []reflect.Type
	if typ := reflect.TypeOf(f); typ == nil { // text/template's own
		params = []reflect.Type{reflect.TypeFor[any](), reflect.TypeFor[any]()}
	} else {
		for i := range typ.NumIn() {
			params = append(params, typ.In(i))
		}
		if typ.IsVariadic() {
			of := params[len(params)-1].Elem()
			params = append(params[:len(params)-1], of, of)
		}
	}
	argument := func(typ reflect.Type, hostile string) string {
		switch typ.Kind() {
		case reflect.Interface, reflect.String:
			return hostile
		case reflect.Map:
			return dict
		case reflect.Slice:
			return list
		case reflect.Bool:
			return "true"
		}
		return "1"
	}
	add := func(pick func(i int) string) {
		call := name
		for i, typ := range params {
			call += " " + argument(typ, pick(i))
		}
		if !slices.Contains(all, call) {
			all = append(all, call)
		}
	}
	for _, what := range []string{said, list, dict} {
		add(func(int) string { return what })
		for at := range params {
			for _, other := range []string{`"a"`, said} {
				add(func(i int) string {
					if i == at {
						return what
					}
					return other
				})
			}
		}
	}
	for _, more := range []string{"(%s) | first", "index (%s) 0", "(%s) | toString", "(%s) | toJson"} {
		all = append(all, fmt.Sprintf(more, all[0]))
	}
	if len(params) > 1 {
		all = append(all, name+" "+said)
	}
	return append(all, special[name]...)
}

// launder prints what a call makes of the disguises, and returns whether
// anything was printed, and what is wrong with the structure.
func launder(f Format, fr frame, call string) (printed bool, err error) {
	text := "«range $m := .Members»" + strings.ReplaceAll(fr.shape, "@", "«"+call+"»") + "«end»"
	tm, err := Parse(text, Options{Name: "t", Format: f, LeftDelim: "«", RightDelim: "»"})
	if err != nil {
		return false, nil
	}
	var ms []cluster.Member
	for i, v := range disguises() {
		ms = append(ms, cluster.Member{Name: fmt.Sprintf("m%02d", i), Tags: map[string]string{"x": v}})
	}
	r, err := tm.Execute(Data{Members: ms, Services: offering(ms), Select: func(string) ([]cluster.Member, error) { return ms, nil }})
	if err != nil {
		return false, nil
	}
	n := len(ms) - len(r.Refused)
	if err := fr.check(string(r.Bytes), n); err != nil {
		return true, errors.Join(err, fmt.Errorf("in:\n%.1000s", r.Bytes))
	}
	return n > 0, nil
}

// notPrinting names functions of which there is nothing to print.
var notPrinting = []string{"fail"}

func TestNoFunctionIsAWayRound(t *testing.T) {
	fm := (&Template{run: &run{steps: maxSteps}}).functions()
	all := frames()
	for _, f := range Formats() {
		if _, ok := all[f]; !ok {
			t.Errorf("the format %s has no frame", f)
		}
	}
	for _, name := range functionNames(fm) {
		printed := 0
		for i, call := range calls(name, fm[name]) {
			for j, f := range Formats() {
				if (i+j)%3 > 0 { // what is printed depends on its kind: not each call in each format
					continue
				}
				ok, err := launder(f, all[f], call)
				if err != nil && name != "raw" {
					t.Errorf("%s: {{%s}}: %v", f, call, err)
				}
				if ok {
					printed++
				}
			}
		}
		if printed == 0 && !slices.Contains(notPrinting, name) {
			t.Errorf("%s printed nothing", name)
		}
	}
}

// TestRawIsTheWayRound proves that raw prints a value as it is, in every format;
// and with it, that the test above sees it when a function does.
func TestRawIsTheWayRound(t *testing.T) {
	all := frames()
	for _, f := range slices.Sorted(maps.Keys(all)) {
		for _, call := range []string{"raw $m.Tags.x", "$m.Tags.x | raw", "index (list (raw $m.Tags.x)) 0", "dict \"a\" (raw $m.Tags.x) | values | first"} {
			if printed, err := launder(f, all[f], call); !printed || err == nil {
				t.Errorf("%s: {{%s}} is escaped", f, call)
			}
		}
		for _, call := range []string{"raw $m.Tags.x | upper", `printf "%s" (raw $m.Tags.x)`, "print (raw $m.Tags.x)", "join \"\" (list (raw $m.Tags.x))", "toJson (raw $m.Tags.x)"} {
			if _, err := launder(f, all[f], call); err != nil {
				t.Errorf("%s: {{%s}}: raw is not last, and yet %v", f, call, err)
			}
		}
	}
}
