package templates

import (
	"fmt"
	"strings"
	"testing"

	"muster/cluster"
)

// TestAuthorsFault proves that what no member has done is an error, with its
// place, and leaves nobody out.
func TestAuthorsFault(t *testing.T) {
	ms := threeMembers()
	ms[1].Tags = ms[0].Tags
	for _, c := range []struct{ text, want string }{
		{"x {{.Vars.bad}};", "t:1:5: cannot print .Vars.bad: \"a b\": it has a space, which is not allowed in a bare word of nginx; `raw` prints a value as it is"},
		{"{{range .Members}}{{$.Vars.bad}};{{end}}", "t:1:21: cannot print $.Vars.bad"},
		{"{{range .Members}}{{printf \"%s%s\" .Name $.Vars.bad}};{{end}}", "t:1:21: cannot print printf"},
		{"{{range .Members}}{{.Tags.nix | default $.Vars.bad}};{{end}}", "cannot print"},
		{"{{range .Members}}{{.Name}}:{{$.Vars.bad | port}};{{end}}", "it is not a number from 1 to 65535"},
		{"x {{.Vars.nix}};", "t:1:5: cannot print .Vars.nix: .Vars has no \"nix\"; it has bad, list, null; say what to print instead: `default`"},
		{"x {{.Vars.lits}};", "t:1:5: cannot print .Vars.lits: .Vars has no \"lits\"; it has bad, list, null; did you mean \"list\"?"},
		{"x {{.Vars.lits | port}};", ".Vars has no \"lits\""},
		{"x {{.Vars.nix | default .Vars.lits}};", ".Vars has no \"lits\""},
		{"x {{with .Vars}}{{.lits}}{{end}};", ".Vars has no \"lits\""},
		{"x {{$v := .Vars}}{{range .Members}}{{$v.lits}}{{end}};", ".Vars has no \"lits\""},
		{"x {{.Vars.nix | default .Vars.bad | port}};", "cannot print .Vars.nix | default .Vars.bad | port: \"a b\": it is not a number"},
		{"x {{.Vars.null}};", "t:1:5: cannot print .Vars.null: there is no value; say what to print instead: `default`"},
		{"x {{get .Vars \"null\"}};", "there is no value; say"},
		{"{{.Self.Tags.bad}};", "cannot print .Self.Tags.bad"},
		{"{{$x := \"\"}}{{range .Members}}{{$x = $.Vars.bad}}{{end}}{{$x}};", "cannot print $x"},
		{"{{range .Members}}{{fail \"no way\"}}{{end}}", "fail: no way"},
		{"{{.Each.Key}};", "the rule's template has no for_each"},
		{"{{range members \"x\"}}{{end}}", "there are no other members here"},
		{"{{(index .Members 7).Name}};", "index out of range"},
		{"{{range .Members}}{{index .Tags.role 99}}{{end}};", "out of range"},
		{"x {{.Vars.list}};", "a list cannot be printed here"},
	} {
		d := Data{Rule: "r", Members: ms, AllMembers: ms, Self: cluster.Member{Name: "s", Tags: map[string]string{"bad": ";"}},
			Vars: map[string]any{"bad": "a b", "list": []any{1}, "null": nil}}
		r, err := parsed(t, Nginx, c.text).Execute(d)
		if err == nil || !strings.Contains(err.Error(), c.want) || isError(err) == nil {
			t.Errorf("%s:\n got %v (%q, %+v)\nwant %s", c.text, err, r.Bytes, r.Refused, c.want)
		}
	}
}

// A member whose name is empty is to blame for what it does, like any other.
func TestNamelessMembersFault(t *testing.T) {
	for _, text := range []string{
		"{{range .Members}}{{$m := .}}{{with $.Rule}}{{print . $m.Name $m.Tags.x}}{{end}};{{end}}",
		"{{$names := list}}{{range .Members}}{{$names = append $names .Tags.x}}{{end}}{{range $names}}a {{.}};{{end}}",
		"{{range .Members}}{{if eq .Tags.x \"a b\"}}{{index .Name 7}}{{end}}a {{.Name}}x;{{end}}",
		"{{range $k, $ms := groupBy .Members \"x\"}}a {{$k}};{{end}}",
	} {
		ms := []cluster.Member{{Name: "", Tags: map[string]string{"x": "a b"}}, {Name: "fine", Tags: map[string]string{"x": "ab"}}}
		r, err := parsed(t, Nginx, text).Execute(Data{Rule: "r", Members: ms})
		if err != nil || len(r.Refused) != 1 || r.Refused[0].Member != "" || !strings.Contains(string(r.Bytes), "ab;") && !strings.Contains(string(r.Bytes), "fine") {
			t.Errorf("%s: %v, refused %+v:\n%s", text, err, r.Refused, r.Bytes)
		}
	}
}

// TestNoVar pins what is said about .Vars.NAME where there is none, besides.
func TestNoVar(t *testing.T) {
	many := map[string]any{}
	for i := range 1000 {
		many[fmt.Sprintf("name\n%d", i)] = i
	}
	for _, c := range []struct {
		vars map[string]any
		want string
	}{
		{nil, `t:1:3: cannot print .Vars.port: .Vars has no "port"; it is empty; say what to print instead: ` + "`default`"},
		{map[string]any{"prot": 80}, `.Vars has no "port"; it has prot; did you mean "prot"?`},
		{map[string]any{"m": threeMembers()}, `.Vars has no "port"; it has m; say`},
		{many, `it has name\n0, name\n1, `},
	} {
		_, err := parsed(t, Text, "{{.Vars.port}}").Execute(Data{Vars: c.vars})
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}
