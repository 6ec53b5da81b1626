package command

import (
	"os"
	"path/filepath"
	"testing"
)

// What a check costs by itself, and in a mount namespace with a file in the
// place of another, or where there was none.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	file, staged := filepath.Join(dir, "file"), filepath.Join(dir, ".staged")
	for _, path := range []string{file, staged} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for name, show := range map[string][]Shown{
		"plain": nil, "replaced": {{At: file, From: staged}}, "new": {{At: filepath.Join(dir, "new"), From: staged}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if res := Run(b.Context(), Command{Argv: []string{"/bin/true"}, Show: show}); !res.OK() {
					b.Fatal(res.Err)
				}
			}
		})
	}
}
