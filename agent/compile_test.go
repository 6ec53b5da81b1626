package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mistake in a template is shown on the line of the rule file where it
// stands, in quotes and in a here document alike.
func TestTemplateMistakesHaveTheirPlace(t *testing.T) {
	for _, c := range []struct {
		contents string
		line     int
	}{
		{`"a\n{{ .Naem }}"`, 5},
		{"<<-T\n      a\n      {{ .Naem }}\n    T", 7},
	} {
		h := &host{t: t, dir: t.TempDir()}
		h.mkdir("rules")
		h.write("rules/rules.hcl", `
rule "web" {
  template {
    destination = "${DIR}/out"
    contents    = `+c.contents+`
  }
}
`)
		_, _, problems := Compile(h.path("rules"))
		if len(problems) != 1 || problems[0].Line != c.line {
			t.Errorf("contents %s: want one mistake on line %d, got %v", c.contents, c.line, problems)
		}
	}
}

// A var that a built-in does not take, and one that a template prints and the
// rule does not have, are found before there is a membership.
func TestMistakenVars(t *testing.T) {
	for _, c := range []struct {
		template string
		want     []string
	}{
		{"source = \"nginx-upstream\"\n vars = { upstream = \"web\", prot = 80 }", []string{"5: nginx-upstream takes no var `prot`; did you mean `port`?"}},
		{"source = \"nginx-upstream\"\n vars = { port = 80 }", []string{"4: nginx-upstream needs the var `upstream`"}},
		{"source = \"nginx-upstream\"", []string{"4: nginx-upstream needs the var `upstream`"}},
		{"contents = \"{{range .Members}}{{.Addr}}:{{$.Vars.prot}}\\n{{end}}\"\n vars = { port = 80 }", []string{`4: cannot print $.Vars.prot: .Vars has no "prot"; it has port`}},
		{"contents = \"{{.Vars.port}}\"\n vars = { prot = local.n }", []string{`4: cannot print .Vars.port: .Vars has no "port"; it has prot`}},

		// No mistake, or one that only the membership can tell.
		{"source = \"nginx-upstream\"\n vars = { upstream = \"web\" }", nil}, // each member's tag may say the port
		{"source = \"nginx-upstream\"\n vars = merge({ upstream = \"web\" }, { shared = 1 })", nil},
		{"source = \"nginx-upstream\"\n vars = { upstream = self.tags.up }", nil},
		{"contents = \"{{.Vars.port | default 80}}{{with .Vars.x}}{{.}}{{end}}{{if .Vars.y}}{{.Vars.z}}{{end}}\"", nil},
		{"contents = \"{{(index .Members 0).Name}}{{range members \\\"role=x\\\"}}{{.Name}}{{end}}\"", nil},
		{"contents = \"{{.Each.Key}}{{.Vars.v}}\"\n for_each = members\n vars = { v = each.key }", nil},
	} {
		each := ""
		if strings.Contains(c.template, "for_each") {
			each = "-${each.key}"
		}
		h := &host{t: t, dir: t.TempDir()}
		h.mkdir("rules")
		h.write("rules/rules.hcl", "locals { n = 1 }\nrule \"web\" {\n  template {\n    "+c.template+"\n    destination = \"${DIR}/web"+each+"\"\n  }\n}\n")
		_, _, problems := Compile(h.path("rules"))
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Summary))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.template, diff)
		}
	}
}
