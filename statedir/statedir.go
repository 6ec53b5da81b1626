// Package statedir looks after the files in an agent's state directory: they
// are this user's own, locked by one process, and last.
//
// What stands in them is the business of those who write them.
package statedir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Open opens a file of a state directory for reading or writing, flag being
// as for os.OpenFile. What somebody else put there in its place is refused,
// and a link is not followed: the file says what to undo, or what was done.
func Open(path string, flag int) (*os.File, error) {
	return open(path, flag, func(info os.FileInfo) error {
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to user %d: remove it, or choose another directory with --state", path, uid)
		}
		return nil
	})
}

// Read returns the first most bytes of a file that Open would open.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// Look opens a file for reading whose owner does not matter, for a look at
// another user's state.
func Look(path string) (*os.File, error) {
	return open(path, os.O_RDONLY, func(os.FileInfo) error { return nil })
}

func open(path string, flag int, check func(os.FileInfo) error) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	} else if err == nil {
		err = check(info)
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Lock takes the file at path, which is made where it is missing, for this
// process, until the file returned is closed or the process ends. The error
// says which process has it.
func Lock(path string) (*os.File, error) {
	f, err := Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock %s: %w", filepath.Base(path), err)
		}
		pid := make([]byte, 20)
		n, _ := f.ReadAt(pid, 0)
		return nil, fmt.Errorf("another muster uses it (process %s): stop that one or choose another with --state", strings.TrimSpace(string(pid[:n])))
	}
	// For whoever finds it locked; on a full disk they have to do without.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

// Sync makes what was created, renamed or removed in a directory last.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Replace replaces the contents of a file, which is made where it is missing:
// whoever reads it, also after a crash, finds the old or the new as a whole.
// What a crash leaves beside it, PATH.new, the next Replace overwrites. It is
// for one process at a time.
func Replace(path string, data []byte) error {
	staged := path + ".new"
	f, err := Open(staged, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	if err := os.Rename(staged, path); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}
