package agent

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shownTemplate is a template that a page shows beside the rule that uses it.
var shownTemplate = regexp.MustCompile("(?s)`rules\\.d/([a-z]+\\.tmpl)`, ours:\n\n```[a-z]*\n(.*?)```")

// Every rule in the documentation compiles, its templates too.
func TestDocumentedRulesCompile(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../docs/consumers/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		pages = append(pages, found...)
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
			for _, shown := range shownTemplate.FindAllStringSubmatch(string(text), -1) {
				if err := os.WriteFile(filepath.Join(dir, shown[1]), []byte(shown[2]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
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
