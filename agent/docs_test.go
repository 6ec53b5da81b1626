package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
