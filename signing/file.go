package signing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"syscall"
)

// readFile returns the text of the regular file at path, at most limit bytes,
// and its mode. It never waits, and what it read and what the mode belongs to
// are the same file.
func readFile(path string, limit int64) (string, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", 0, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, cause(err)
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", 0, cause(err)
	}
	if int64(len(b)) > limit {
		return "", 0, fmt.Errorf("longer than %d bytes", limit)
	}
	return string(b), info.Mode(), nil
}

// cause takes the path off err: the caller names it.
func cause(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// lines yields the lines of text that say something, each with its number from
// 1 and without the space around it.
func lines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.SplitSeq(text, "\n") {
			n++
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && !yield(n, line) {
				return
			}
		}
	}
}
