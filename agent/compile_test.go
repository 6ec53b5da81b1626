package agent

import "testing"

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
