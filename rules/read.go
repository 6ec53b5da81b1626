package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// The bounds on what is read, in bytes and files.
const (
	maxRuleFile = 64 << 10
	maxTemplate = 256 << 10
	maxFiles    = 1000
	maxRules    = 10000
)

// ReadFile returns the content of the regular file at path, at most limit
// bytes. It follows symbolic links, and never waits: a pipe or a device is an
// error.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: it is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("cannot read %s: it is larger than %d KiB", path, limit>>10)
	}
	return b, nil
}

// cause strips what the caller's message says anyhow.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
