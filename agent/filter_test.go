package agent

import (
	"strings"
	"testing"
)

// A filter of the function members that is none is found when the rules are
// loaded, with its place.
func TestFiltersAreCheckedAtLoad(t *testing.T) {
	for filter, want := range map[string]string{
		`"role"`:                 `cannot read filter "role": write KEY=PATTERN`,
		`"role=web" "status=up"`: `cannot read filter "status=up": no member has such a status`,
		`"role=web" "status=alive|leaving" "name=web-.*"`: "",
	} {
		h := &host{t: t, dir: t.TempDir()}
		h.mkdir("rules")
		h.write("rules/rules.hcl", `
rule "web" {
  template {
    destination = "${DIR}/out"
    contents    = <<-T
      {{ range members `+filter+` }}{{ .Name }}{{ end }}
    T
  }
}
`)
		_, _, problems := Compile(h.path("rules"))
		switch {
		case want == "" && len(problems) > 0:
			t.Errorf("%s: %v", filter, problems)
		case want != "" && (len(problems) != 1 || problems[0].Line != 6 || !strings.Contains(problems[0].Summary, want)):
			t.Errorf("%s: want one mistake on line 6, %s; got %v", filter, want, problems)
		}
	}
}
