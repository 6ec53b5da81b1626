package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// maxGolden is how much file() reads of a file.
const maxGolden = 256 << 10

// updateGolden rewrites the golden files that differ from what the rules make,
// and returns their paths. The failures that this mends are taken out of the
// results; the others say why it did not.
func updateGolden(dir string, all []tested) (updated []string) {
	wanted := map[string][]byte{}
	torn := map[string]bool{} // files that two expectations want to be different
	for _, t := range all {
		for _, g := range t.result.Goldens {
			if other, ok := wanted[g.Path]; ok && !bytes.Equal(other, g.Got) {
				torn[g.Path] = true
			}
			wanted[g.Path] = g.Got
		}
	}
	for i := range all {
		failures := all[i].result.Failures
		kept := failures[:0]
		for _, f := range failures {
			switch {
			case f.Golden == "":
			case slices.Contains(updated, f.Golden):
				continue
			case torn[f.Golden]:
				f.Reason += fmt.Sprintf("; %s is not rewritten: another test expects another text in it", near(f.Golden))
			default:
				err := writeGolden(dir, f.Golden, wanted[f.Golden])
				if err == nil {
					updated = append(updated, f.Golden)
					continue
				}
				f.Reason += "; " + err.Error()
			}
			kept = append(kept, f)
		}
		all[i].result.Failures = kept
	}
	return updated
}

// writeGolden rewrites one golden file, which is below the rules directory.
func writeGolden(dir, path string, text []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("cannot update %s: %w", near(path), err)
	}
	switch rel, err := filepath.Rel(dir, real); {
	case err != nil || !filepath.IsLocal(rel):
		return fmt.Errorf("cannot update %s: it is not below the rules directory", near(path))
	case len(text) > maxGolden:
		return fmt.Errorf("cannot update %s: it would have more than 256 KiB, which file() does not read", near(path))
	}
	if err := renameio.WriteFile(real, text, 0o644, renameio.WithExistingPermissions()); err != nil {
		return fmt.Errorf("cannot update %s: %w", near(path), err)
	}
	return nil
}
