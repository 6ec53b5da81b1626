package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/rules"
)

// Every rule in the documentation compiles, its templates too.
func TestDocumentedRulesCompile(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range strings.Split(string(text), "```hcl\n")[1:] {
			example, _, _ = strings.Cut(example, "```")
			if !strings.HasPrefix(example, "rule ") && !strings.HasPrefix(example, "locals ") {
				continue // of muster.hcl, or of a test
			}
			found++
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "example.hcl"), []byte(example), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, problems := Compile(dir); problems.HasErrors() {
				t.Errorf("%s: %v\n%s", page, problems, example)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d rules found", found)
	}
}

// Who writes a rule that acts is told that it is not run.
func TestActingRuleIsAWarning(t *testing.T) {
	dir := t.TempDir()
	text := "rule \"act\" {\n  on = [\"user:x\"]\n  run { command = [\"true\"] }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "act.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	program, _, problems := Compile(dir)
	if program == nil || len(problems) != 1 || problems[0].Severity != rules.Warning || problems[0].Rule != "act" || problems[0].Line != 1 {
		t.Errorf("program %v, problems %v", program, problems)
	}
}
