package cluster_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The Go code in docs/api.md is that of the examples, which are compiled and,
// where they print, run.
func TestDocumentedCode(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(code string) string {
		var out strings.Builder
		for line := range strings.Lines(code) {
			out.WriteString(strings.TrimLeft(line, "\t"))
		}
		return strings.TrimSpace(out.String())
	}
	have := flat(string(examples))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		if !strings.Contains(have, flat(b[1])) {
			t.Errorf("docs/api.md has code that is in no example:\n%s", b[1])
		}
	}
	if len(blocks) < 9 {
		t.Errorf("found only %d pieces of code", len(blocks))
	}
}
