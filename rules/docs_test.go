package rules

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocumentation holds docs/language.md to what the loader knows: every
// example loads, and every name is mentioned.
func TestDocumentation(t *testing.T) {
	b, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	examples := strings.Split(text, "```hcl\n")[1:]
	if len(examples) < 7 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, e := range examples {
		e, _, _ = strings.Cut(e, "```")
		files := map[string]string{"rules.hcl": e}
		if strings.HasPrefix(e, "test ") {
			files = map[string]string{"x.test.hcl": e, "rules.hcl": "rule \"web\" {\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n}\n" +
				"rule \"delete-container\" {\n on = [\"user\"]\n run {\n command = [\"x\"]\n }\n}\n"}
		}
		if _, _, problems := loadFiles(files); len(problems) > 0 {
			t.Errorf("%s\n%v", e, problems)
		}
		if formatted, problems := Fmt([]byte(e), "a.hcl"); string(formatted) != e {
			t.Errorf("not in the canonical layout: %s\n%v", formatted, problems)
		}
	}
	words := append(slices.Collect(maps.Keys(functions())), "file")
	words = slices.AppendSeq(words, maps.Keys(variables))
	words = append(words, eventTypes...)
	for _, s := range []shape{ruleShape, templateShape} {
		words = slices.AppendSeq(append(words, s.attrs...), maps.Keys(s.blocks))
	}
	for _, v := range variables {
		words = append(words, v.attrs...)
	}
	for _, w := range words {
		if !strings.Contains(text, "`"+w+"`") && !strings.Contains(text, "`"+w+"(") && !strings.Contains(text, "| `"+w+"`") {
			t.Errorf("docs/language.md does not mention `%s`", w)
		}
	}
}
