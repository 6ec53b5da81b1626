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
// and what the system says of it. It never waits, and both are of the same
// file.
func readFile(path string, limit int64) (string, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", nil, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return "", nil, errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", nil, cause(err)
	}
	if int64(len(b)) > limit {
		return "", nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return string(b), info, nil
}

// ownAlone reports a file or directory that somebody else than root and this
// user may change.
func ownAlone(info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("others may change it (mode %04o): chmod go-w", perm)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() {
		return fmt.Errorf("user %d may change it, whose it is: chown it to root, or to the agent's user", uid)
	}
	return nil
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
