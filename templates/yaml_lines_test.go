package templates

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

// drawYAML draws an author's file with @ for values: scalars of all styles,
// over several lines, hung on keys, dashes, brackets and the document.
func drawYAML(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "bare") == 0 {
		return strings.TrimLeft(drawNode(t, -1, 0), " ")
	}
	var b strings.Builder
	for range rapid.IntRange(1, 3).Draw(t, "documents") {
		if b.Len() > 0 || rapid.Bool().Draw(t, "marked") {
			b.WriteString(rapid.SampledFrom([]string{"---\n", "--- # c\n", "...\n---\n", "---" + drawNode(t, -1, 0) + "---\n"}).Draw(t, "mark"))
		}
		b.WriteString(drawEntries(t, 0, 2))
	}
	return b.String()
}

// drawEntries draws a list or a dictionary at a column.
func drawEntries(t *rapid.T, column, depth int) string {
	var b strings.Builder
	list := rapid.Bool().Draw(t, "list")
	for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
		entry := fmt.Sprintf("k%d:", i)
		if list {
			entry = "-"
		} else if rapid.IntRange(0, 5).Draw(t, "key") == 0 {
			entry = fmt.Sprintf("@%d:", i)
		}
		entry = strings.Repeat(" ", column) + entry + drawNode(t, column, depth)
		switch rapid.IntRange(0, 9).Draw(t, "block") {
		case 0:
			entry = "«range $.Vars.two»" + strings.Replace(entry, fmt.Sprintf("k%d", i), "k«.»", 1) + "«end»"
		case 1:
			entry = "«if $.Vars.yes»" + entry + "«else»" + strings.Repeat(" ", column) + entry[column:] + "«end»"
		case 2:
			entry = "«if $.Vars.yes»" + entry + "«end»"
		case 3:
			entry = strings.Repeat(" ", column) + "# it's @: \"c\n" + entry
		}
		b.WriteString(entry)
	}
	return b.String()
}

// drawNode draws what stands behind a key or a dash at a column, and its line's end.
func drawNode(t *rapid.T, column, depth int) string {
	indent := strings.Repeat(" ", column+1+rapid.IntRange(0, 2).Draw(t, "indent"))
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind %= 7
	}
	first := " "
	if kind < 6 && rapid.IntRange(0, 3).Draw(t, "below") == 0 {
		first = rapid.SampledFrom([]string{"\n", " # c\n", "\n\n", " !!str\n", " &a" + fmt.Sprint(column) + "\n"}).Draw(t, "gap") + indent
	}
	words := func(name string, from ...string) string {
		lines := []string{}
		for range rapid.IntRange(1, 3).Draw(t, name) {
			line := strings.Join(rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, name), " ")
			if rapid.IntRange(0, 7).Draw(t, name) == 0 {
				line = "«if $.Vars.yes»" + line + "«end» z"
			}
			lines = append(lines, line)
		}
		sep := rapid.SampledFrom([]string{"\n", "\n\n", " \n", "\n «if $.Vars.yes»«end»"}).Draw(t, name) + indent
		return strings.Join(lines, sep)
	}
	switch kind {
	case 0, 1:
		odd := []string{"@", "b", "x-@", "@@", "- c", "\"q\"", "it's", "[d", "'e", "| f", "> g", "? h", "http://@/", "i:j", "*k", "l#m", "...", "\"n"}
		return first + rapid.SampledFrom([]string{"a ", "", "«if $.Vars.yes»a «end»"}).Draw(t, "start") + words("plain", odd...) + rapid.SampledFrom([]string{"\n", " # c\n", "\n\n", "\n# c\n"}).Draw(t, "end")
	case 2:
		return first + `"` + words("double", "@", "a", "x-@", "it's", "# b", "c: d", "- e") + "\"\n"
	case 3:
		return first + `'` + words("single", "@", "a", "x-@", `"b`, "# c", "d: e", "- f") + "'\n"
	case 4:
		head := rapid.SampledFrom([]string{"|", ">", "|-", ">+", "| # c"}).Draw(t, "head")
		return first + head + "\n" + indent + "a\n" + indent + words("block", "@", "a", "x-@", `"b`, "'c", "# d", "e: f", "- g", "[h") + "\n"
	case 5:
		in := rapid.SampledFrom([]string{", ", ",\n" + indent, "\n" + indent + ", "}).Draw(t, "comma")
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"@", "\"@\"", "'a\n" + indent + "@'", "a\n" + indent + "b", "@\n" + indent + "c", "d\n" + indent + "@", "{e: @}", "[@, f]"}), 1, 3).Draw(t, "parts")
		return first + "[" + strings.Join(parts, in) + rapid.SampledFrom([]string{"]\n", "\n" + indent + "]\n"}).Draw(t, "close")
	case 6:
		return rapid.SampledFrom([]string{" @\n", " @ # c\n", " a @\n", "\n", " @\n\n"}).Draw(t, "simple")
	}
	return "\n" + drawEntries(t, len(indent), depth-1)
}

// yamlShape reads every document's nodes and their texts without white space,
// which scalars of several lines fold. That parts of a plain scalar make a
// word of YAML's own is not their place's fault.
func yamlShape(text string) ([]string, error) {
	tokens, err := readYAMLNodes(text)
	for i := range tokens {
		tokens[i] = strings.Join(strings.Fields(tokens[i]), "")
		if i%2 == 1 && tokens[i] != "" {
			tokens[i-1] = strings.Replace(tokens[i-1], "true", "false", 1)
		}
	}
	return tokens, err
}

// TestLinesOfYAML proves that no value changes the structure of a file whose
// scalars run over several lines, nor makes it one that cannot be read: what
// is not escaped for sure is refused, value or template.
func TestLinesOfYAML(t *testing.T) {
	taken, barred, printed := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := drawYAML(t)
		tm, err := Parse(strings.ReplaceAll(text, "@", "«$.Vars.v»"), Options{Name: "lines", Format: YAML, LeftDelim: "«", RightDelim: "»"})
		if err != nil {
			barred++
			return
		}
		taken++
		vars := map[string]any{"v": "clean", "yes": rapid.Bool().Draw(t, "yes"), "two": []any{"1", "2"}}
		base, err := tm.Execute(Data{Vars: vars})
		if err != nil {
			t.Fatalf("%s\nclean: %v", text, err)
		}
		want, err := yamlShape(string(base.Bytes))
		if err != nil { // the author's mistake
			return
		}
		for _, v := range append(rapid.SliceOfN(rapid.SampledFrom(hostile), 4, 4).Draw(t, "values"), "a: b", "c #d", "- e", "---", "--- f", "...", "\"", "web-1") {
			vars["v"] = v
			r, err := tm.Execute(Data{Vars: vars})
			if err != nil {
				continue
			}
			printed++
			got, err := yamlShape(string(r.Bytes))
			if err != nil && strings.Contains(err.Error(), "already") { // one key twice
				continue
			}
			if err != nil {
				t.Fatalf("%s\nwith %q cannot be read: %v in:\n%s", text, v, err, r.Bytes)
			}
			changed := slices.Clone(want)
			for i := range changed {
				changed[i] = strings.ReplaceAll(changed[i], "clean", strings.Join(strings.Fields(v), ""))
			}
			if diff := cmp.Diff(changed, got); diff != "" {
				t.Fatalf("%s\nwith %q prints\n%s(-want +got):\n%s", text, v, r.Bytes, diff)
			}
		}
	})
	t.Logf("%d templates taken, %d refused; %d files", taken, barred, printed)
}

// TestLinesRefused pins which templates of scalars over several lines are
// refused, where, and what is said.
func TestLinesRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"k: a\n  @\n", "t:2:5: cannot print a value inside a plain scalar that runs over several lines: quote it, or write a block scalar (| or >)"},
		{"k: @\n  b\n", "t:2:3: cannot print a value inside a plain scalar that runs over several lines: quote it"},
		{"k: @\n\n  b\n", "t:3:3: cannot print"},
		{"- a @\n b\n", "t:2:2: cannot print"},
		{"- - a\n   - @\n", "t:2:8: cannot print"},
		{"k:\n  a\n  b @\n", "t:3:7: cannot print"},
		{"k:\n# c\n- a\n  b\n  c: @\n", ""},
		{"@\nb\n", "t:2:1: cannot print"},
		{"--- a\n@\n", "t:2:3: cannot print"},
		{"k: @\n\t\nl: a\n", "t:2:1: cannot print"},
		{"k: a\n\t\nl: @\n", ""},
		{"k: [a\n@]\n", "t:2:3: cannot print"},
		{"k: [@\n\"b\"]\n", "t:2:1: cannot print"},
		{"k: @\n{{if .Rule}}  b{{end}}", "t:2:15: cannot print"},
		{"k: {{range .Members}}{{.Name}}\n  {{end}}\n", "t:1:24: cannot print"},
		{"{{range .Members}}{{.Name}}\n{{end}}", "t:1:21: cannot print"},
		{"{{define \"x\"}}  @{{end}}k: a\n{{template \"x\"}}", "t:1:19: cannot print"},
		{"k: a\n  {{raw .Rule}}\nl: @\n", ""},
		{"k: {{if .Rule}}{{else}}a{{end}}\n  - @\n", "t:2:7: cannot tell what a value would be here: a line may go on"},
		{"k: {{if .Rule}}{{else}}\"a\"{{end}}\n  - @\n", ""},
		{"k: {{if .Rule}}{{else}}@{{end}}\n  - b\n", "t:2:3: cannot print"},
		{"k: @\n{{if .Rule}}l{{end}}  m: n\n", "t:2:23: cannot print"},
		{"k:\n  |\n  a\nl: @\n", "a line begins with | or >"},
		{"|\na\n@\n", "a line begins with | or >"},
		{"--- |\na\n@\n", "not indented"},
		{"\"a\n@\"\n", "beginning of a line in quotes"},
		{"k: '\n--@'\n", "beginning of a line in quotes"},
		{"--@\n", "after --- or ..."},
		{"k: {{if .Rule}}\"a\\{{else}}\"{{end}}n\" @\n", "end in different places"},
	} {
		_, err := Parse(strings.ReplaceAll(c.text, "@", "{{.Rule}}"), Options{Name: "t", Format: YAML})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestLinesTaken is about templates of many lines in which no scalar has more
// than one, or none that has is printed into: they are read as what they are.
func TestLinesTaken(t *testing.T) {
	ms := someMembers(2)
	ms[0].Tags, ms[1].Tags = map[string]string{"x": "a: b"}, map[string]string{"x": "y"}
	for _, c := range []struct{ text, want string }{
		{"hosts:\n{{range .Members}}  - {{.Tags.x}}\n{{end}}k: {{.Rule}}\n", "{hosts: [\"a: b\", y], k: r}"},
		{"hosts:\n{{- range .Members}}\n  - {{.Status}}\n{{- end}}\nk: {{.Rule}}\n", "{hosts: [alive, alive], k: r}"},
		{"hosts:\n{{- range .Members}}\n  {{- with .Tags.x}}\n  - v{{len .}}\n  {{- end}}\n{{- end}}\nk: {{.Rule}}\n", "{hosts: [v4, v1], k: r}"},
		{"hosts:{{if not .Members}} []{{end}}\n{{range .Members}}  - {{.Tags.x}}\n{{end}}", "{hosts: [\"a: b\", y]}"},
		{"hosts:\n{{range .Members}}- n: {{.Tags.x}}\n  m: {{.Status}}\n  {{- if .Name}}\n  o: 1{{end}}\n{{else}}- {}\n{{end}}", "{hosts: [{n: \"a: b\", m: alive, o: 1}, {n: y, m: alive, o: 1}]}"},
		{"{{range $i, $m := .Members}}{{if $i}}  {{else}}- {{end}}k{{$i}}: {{.Tags.x}}\n{{end}}", "[{k0: \"a: b\", k1: y}]"},
		{"k:\n{{range .Members}}- l:\n    {{.Tags.x}}\n{{end}}", "{k: [{l: \"a: b\"}, {l: y}]}"},
		{"k: [\n{{range .Members}}  {{.Tags.x}},\n{{end}}]\n", "{k: [\"a: b\", y]}"},
		{"k: {\n{{range .Members}}  {{.Name}}: {{.Tags.x}},\n{{end}}}\n", "{k: {" + ms[0].Name + ": \"a: b\", " + ms[1].Name + ": y}}"},
		{"{{if not .Rule}}{{fail \"no rule\"}}{{end}}\nk: {{.Rule}}\n", "{k: r}"},
		{"{{raw .Vars.keys}}\nk: {{.Rule}}\n", "{a: 1, b: 2, k: r}"},
		{"k:\n  {{raw .Vars.key}}\n  l: {{.Rule}}\n", "{k: {a: 1, l: r}}"},
		{"k: it\n  \"goes\n  - on\nl: {{.Rule}}\n", "{k: 'it \"goes - on', l: r}"},
		{"k: \"a\n  {{.Rule}}\"\nl: {{.Rule}}\n", "{k: a r, l: r}"},
		{"k: >2\n    a\n   {{.Rule}}\nl: {{.Rule}}\n", "{k: \"  a\\n r\\n\", l: r}"},
		{"--- |\n a\n {{.Rule}}\n", "\"a\\nr\\n\""},
		{"%YAML 1.1\n---\nk: {{.Rule}}\n...\n", "{k: r}"},
		{"k: http://{{.Rule}}/ # {{.Rule}}\n\n# {{.Rule}}\n  # x\nl: {{.Rule}}\n", "{k: http://r/, l: r}"},
	} {
		tm, err := Parse(c.text, Options{Name: "t", Format: YAML})
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		r, err := tm.Execute(Data{Rule: "r", Members: ms, Vars: map[string]any{"key": "a: 1", "keys": "a: 1\nb: 2"}})
		if err != nil || len(r.Refused) > 0 {
			t.Errorf("%q: %v, refused %v", c.text, err, r.Refused)
			continue
		}
		var got, want any
		if err := yaml.Unmarshal(r.Bytes, &got); err != nil {
			t.Errorf("%q: %v in %q", c.text, err, r.Bytes)
		}
		if err := yaml.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %q (-want +got):\n%s", c.text, r.Bytes, diff)
		}
	}
}
