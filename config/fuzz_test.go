package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/rules"
)

// Whatever a file holds: no panic, every problem points into the file, and no
// key is shown.
func FuzzHCL(f *testing.F) {
	seed(f, "testdata/*.hcl", "testdata/mistakes/*.hcl")
	f.Fuzz(func(t *testing.T, text string) {
		// What a file refers to is no part of this.
		if len(text) > maxFile || strings.Contains(text, "config_") {
			return
		}
		l := loader{sources: map[string][]byte{"f": []byte(text)}}
		l.hcl([]byte(text), "f")
		_, problems := l.finish()
		check(t, text, problems)
	})
}

func FuzzSerfJSON(f *testing.F) {
	seed(f, "testdata/serf/*.json", "testdata/mistakes/*.json")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxFile {
			return
		}
		l := loader{sources: map[string][]byte{"f": []byte(text)}}
		l.json([]byte(text), "f")
		_, problems := l.finish()
		check(t, text, problems)
	})
}

func seed(f *testing.F, patterns ...string) {
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(strings.ReplaceAll(string(text), "config_", "other_"))
		}
	}
}

func check(t *testing.T, text string, problems rules.Problems) {
	lines := strings.Count(text, "\n") + 1
	for _, p := range problems {
		if p.Summary == "" || p.Severity == "" {
			t.Errorf("an empty problem: %+v", p)
		}
		if p.File != "" && (p.File != "f" || p.Line < 1 || p.Line > lines) {
			t.Errorf("a problem outside the file of %d lines: %+v", lines, p)
		}
		if strings.Contains(p.Snippet, "encrypt_key") {
			t.Errorf("a key may be shown: %+v", p)
		}
	}
}
