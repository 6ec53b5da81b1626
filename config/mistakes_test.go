package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file in testdata/mistakes has all its mistakes told, as in the .txt
// beside it.
func TestMistakes(t *testing.T) {
	goldens := testdata(t, "mistakes")
	// A copy, for modes matter and a checkout's may be any.
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "mistakes"))
	var files []string
	for _, pattern := range []string{"*.hcl", "*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			if err := os.Chmod(file, 0o644); err != nil {
				t.Fatal(err)
			}
			f := Flags{Config: file}
			if strings.HasSuffix(file, ".json") {
				f = Flags{Config: t.TempDir(), SerfFiles: []string{file}}
			}
			_, problems := Load(f)
			var out strings.Builder
			if err := problems.Print(&out, false); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join(goldens, file+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
			if strings.Contains(out.String(), "a secret that") {
				t.Error("a key is shown")
			}
		})
	}
}

func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "muster.hcl")
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := Load(Flags{Config: path})
	if want := "cannot read " + path + ": it is larger than 64 KiB"; problems.Error() != want {
		t.Errorf("got  %v\nwant %s", problems, want)
	}
}

func TestNesting(t *testing.T) {
	deep := func(open, middle, end string) string {
		return "cluster {\n  tags = " + strings.Repeat(open, 20000) + middle + strings.Repeat(end, 20000) + "\n}\n"
	}
	for name, text := range map[string]string{
		"parentheses": deep("(", "1", ")"), "lists": deep("[", "1", "]"), "maps": deep("{a=", "1", "}"),
		"templates": deep(`"${`, "1", `}"`), "not": deep("!", "true", ""), "minus": deep("-", "1", ""),
		"ternaries": deep("true ? 1 : ", "1", ""),
	} {
		l := loader{sources: map[string][]byte{}}
		l.hcl([]byte(text), "muster.hcl")
		if len(l.problems) != 1 || l.problems[0].Summary != "nested more than 100 levels deep" {
			t.Errorf("%s: %v", name, l.problems)
		}
	}
	l := loader{sources: map[string][]byte{}}
	l.json([]byte(`{"tags": `+strings.Repeat(`{"a":[`, 10000)), "serf.json")
	if got, want := l.problems.Error(), "serf.json:1:309: nested more than 100 levels deep"; got != want {
		t.Errorf("JSON: got %q, want %q", got, want)
	}
}
