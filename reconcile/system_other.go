//go:build !linux

package reconcile

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	openAsPath     = unix.O_RDONLY
	errNoAttribute = unix.ENOATTR
	acl            = "" // not an extended attribute here
)

// rootOf opens as a Root the directory that fd is; dir is how it was reached. It
// must still be there.
func rootOf(fd int, dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	var st unix.Stat_t
	now := info.Sys().(*syscall.Stat_t)
	if err := unix.Fstat(fd, &st); err != nil || uint64(st.Dev) != uint64(now.Dev) || st.Ino != now.Ino {
		root.Close()
		return nil, fmt.Errorf("cannot open %s: %w", dir, errors.Join(err, errors.New("another directory was put in its place")))
	}
	return root, nil
}

// isMount reports whether name in p is a mount point: files are none here.
func (place) isMount(string) bool { return false }

// renameNew renames a file to a name that nobody has yet, as far as that can be
// seen: there is no way to make sure of it.
func (p place) renameNew(from, to string) error {
	if _, err := p.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: unix.EEXIST}
	}
	return p.Rename(from, to)
}

// childrenOf would return the children of a process.
func childrenOf(int) (map[int]bool, error) {
	return nil, fmt.Errorf("cannot tell the workers of a process on %s: say verify = [\"PROGRAM\", \"ARGUMENT\", …], or verify = \"none\"", runtime.GOOS)
}
