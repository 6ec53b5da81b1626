package templates

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/cluster"
)

// FuzzMatrix looks for a value that changes the structure of a file in a cell of
// the matrix: in a format, a shape, and a place where a member can speak; or as
// a var, where the place is none of a member's.
func FuzzMatrix(f *testing.F) {
	all, places := rows(), voices()
	for i, r := range all {
		for j := range r.shapes { // few: the matrix itself has them all, and fuzzing begins with these
			f.Add(uint8(i), uint8(j), uint8(j%(len(places)+1)), hostile[(i+j*17)%len(hostile)])
		}
	}
	f.Fuzz(func(t *testing.T, i, j, k uint8, v string) {
		r := all[int(i)%len(all)]
		shape := r.shapes[int(j)%len(r.shapes)]
		if r.format == Shell && !shellReadable(shape) {
			return
		}
		if k := int(k) % (len(places) + 1); k < len(places) {
			if p := places[k]; p.name == "tag" || v != "honest0" { // the name of the honest member
				r.cell(t, shape, p, []string{v}).check(t, "a parser", r.read)
			}
			return
		}
		checkStructure(t, spotTemplate(t, r.format, shape), shape, v)
	})
}

// FuzzParse looks for a template that panics, hangs or escapes its bounds, and
// for one that prints a member's value so that it begins a line of its own.
func FuzzParse(f *testing.F) {
	for _, name := range Builtins() {
		text, _, _ := Builtin(name)
		f.Add(text, uint8(0))
	}
	for i, text := range []string{
		"{{range .Members}}server {{.Name}} {{.Addr}}:{{.Port}};\n{{else}}none;\n{{end}}",
		`{{range $r, $ms := groupByItem .Members "role"}}[{{$r | like "[a-z]+" | unlike "all"}}]` + "\n{{range $ms}}{{.Name}}\n{{end}}{{end}}",
		`{{range $r, $ms := groupBy .Members "role"}}[{{$r}}]` + "\n{{range $ms}}{{.Name}}\n{{end}}{{end}}",
		`{{define "a"}}{{.Name}}{{end}}{{range $i, $m := .AllMembers}}{{if $i}}, {{end}}{{template "a" .}}{{end}}`,
		`{{with index .Members 0}}{{.Tags.role | upper | quote}}{{end}}{{range until 3}}{{.}}{{break}}{{end}}`,
		`{{$x := "a"}}{{range .Members}}{{$x = printf "%s %s" $x .Name}}{{end}}{{$x}}`,
		"k: |\n  {{.Rule}}\n{\"a\": {{toJson .Self.Tags}}, 'b': \"{{.Self.Name}}\"}",
		"A=\"$(echo $((1+2)) `x`)\" B={{.Rule}} ${C:-\"{{.Rule}}\"} # {{.Rule}}",
	} {
		f.Add(text, uint8(i))
	}
	ms := threeMembers()
	for i := range ms {
		ms[i].Tags = map[string]string{"role": "x\ny{{", "x": "1,2"}
	}
	data := Data{Rule: "r", Members: ms, AllMembers: ms, Self: ms[0], Vars: map[string]any{"v": "v", "l": []any{1, "a"}},
		Select: func(string) ([]cluster.Member, error) { return ms, nil }}
	f.Fuzz(func(t *testing.T, text string, format uint8) {
		o := Options{Name: "t", Format: Formats()[int(format)%len(Formats())], MaxOutput: 64 << 10}
		tm, err := Parse(text, o)
		if err != nil {
			if e := isError(err); e == nil || e.Line < 1 || e.Column < 1 {
				t.Fatalf("%#v", err)
			}
			return
		}
		first, err := tm.Execute(data)
		again, errAgain := tm.Execute(data)
		if (err == nil) != (errAgain == nil) || string(first.Bytes) != string(again.Bytes) {
			t.Fatalf("%v, %q\nthen %v, %q", err, first.Bytes, errAgain, again.Bytes)
		}
		if err != nil {
			if isError(err) == nil {
				t.Fatalf("%#v", err)
			}
			return
		}
		if len(first.Bytes) > 64<<10 {
			t.Fatalf("%d bytes", len(first.Bytes))
		}
		if utf8.ValidString(text) && !utf8.Valid(first.Bytes) && !strings.Contains(text, "raw") {
			t.Fatalf("not UTF-8: %q", first.Bytes)
		}
		if strings.Contains(string(first.Bytes), "x\ny{{") && !strings.Contains(text, "raw") {
			t.Fatalf("a tag came through: %q", first.Bytes)
		}
	})
}

var keyless = regexp.MustCompile(`(?m)^\s*=`)

// FuzzPlace looks for literal text that the format's program reads otherwise
// than scanning it does: for a place in which a value changes the structure.
func FuzzPlace(f *testing.F) {
	for i, format := range Formats() {
		if format == Shell {
			continue
		}
		for j, spot := range spots(format) {
			f.Add(uint8(i), spot, hostile[j*7%len(hostile)])
			f.Add(uint8(i), spot, hostile[j*11%len(hostile)])
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, spot, v string) {
		format := Formats()[int(i)%len(Formats())]
		if format == Shell || !strings.Contains(spot, "@") || strings.ContainsAny(spot, "«»") || !utf8.ValidString(spot) {
			return
		}
		if strings.ContainsFunc(spot, func(r rune) bool { return hidden(r) && !strings.ContainsRune("\n\t", r) }) {
			return
		}
		if format == YAML && strings.ContainsAny(spot, "&*!%?") { // names of anchors and tags are the author's
			return
		}
		if format == INI && keyless.MatchString(spot) { // to no reader a line
			return
		}
		tm, err := Parse(strings.ReplaceAll(spot, "@", "«.Vars.v»"), Options{Name: "spot", Format: format, LeftDelim: "«", RightDelim: "»"})
		if err != nil {
			return
		}
		base, err := tm.Execute(Data{Vars: map[string]any{"v": "clean"}})
		if err != nil {
			return
		}
		read := reader(format)
		if format == YAML { // parts of a plain scalar may make a number
			read = readYAMLNodes
		}
		want, err := read(string(base.Bytes))
		if err != nil {
			return
		}
		r, err := tm.Execute(Data{Vars: map[string]any{"v": v}})
		if err != nil {
			return
		}
		got, err := read(string(r.Bytes))
		if err != nil && strings.Contains(err.Error(), "already") { // one key twice
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s %q with %q: clean %q, printed %q (%v)", format, spot, v, want, got, err)
		}
	})
}
