package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is printed into testdata/mistakes")

// A mistake is one case of testdata/mistakes: files with mistakes in them, and
// what is printed of them.
type mistake struct{ name, rules, want string }

func readMistakes(t *testing.T, path string) []mistake {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []mistake
	for _, c := range strings.Split("\n"+string(text), "\n### ")[1:] {
		head, want, _ := strings.Cut(c, "\n--- want")
		name, rules, _ := strings.Cut(head, "\n")
		out = append(out, mistake{name, rules + "\n", strings.TrimPrefix(want, "\n")})
	}
	return out
}

func TestMistakes(t *testing.T) {
	paths, err := filepath.Glob("testdata/mistakes/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range paths {
		cases := readMistakes(t, path)
		var updated strings.Builder
		for _, c := range cases {
			count++
			t.Run(filepath.Base(path)+"/"+c.name, func(t *testing.T) {
				set, _, problems := loadText(c.rules)
				var b strings.Builder
				problems.Print(&b, false)
				got := strings.TrimSpace(b.String())
				if !problems.HasErrors() || set != nil {
					t.Errorf("no mistake was found")
				}
				if diff := cmp.Diff(strings.TrimSpace(c.want), got); diff != "" && !*update {
					t.Errorf("what is printed (-want +got):\n%s", diff)
				}
				updated.WriteString("### " + c.name + "\n" + c.rules + "--- want\n" + got + "\n\n")
			})
		}
		if *update {
			if err := os.WriteFile(path, []byte(strings.TrimSuffix(updated.String(), "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if count < 60 {
		t.Errorf("only %d cases were found", count)
	}
}
