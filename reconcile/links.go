package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// trustLink refuses a symbolic link in dir if somebody else could have put it
// there.
func trustLink(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return cause(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the link stands in %s, which belongs to user %d", dir, st.Uid)
	}
	if st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && !ownGroup(st.Gid) {
		return fmt.Errorf("the link stands in %s, which others may change: try chmod go-w %[1]s", dir)
	}
	if st.Mode&0o020 != 0 {
		if who, err := granted(dir, st.Uid); err != nil || who != "" {
			return errors.Join(fmt.Errorf("the link stands in %s, whose access control list lets others change it: try setfacl -b %[1]s", dir), err)
		}
	}
	return nil
}

// resolveDir follows the symbolic links in path, which leads to a directory.
// Somebody else's link is followed no further than to that user's own
// directories: else whoever may change a part of a path could have this
// process, which may be root, write wherever they like.
func resolveDir(path string) (string, error) {
	real, links := "/", 0
	var doubt error // about a link that was followed
	owner := -1     // of that link's directory
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			real = filepath.Dir(real)
			continue
		}
		next := filepath.Join(real, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			real = next
			continue
		case fs.ModeSymlink:
		default:
			return "", &fs.PathError{Op: "open", Path: next, Err: syscall.ENOTDIR}
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if err := trustLink(real); err != nil {
			if doubt, owner = err, ownerOf(real); owner < 0 {
				return "", err
			}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if rest = target + "/" + rest; filepath.IsAbs(target) {
			real = "/"
		}
	}
	if doubt != nil && ownerOf(real) != owner {
		return "", fmt.Errorf("%w, and leads to %s, which does not", doubt, real)
	}
	return real, nil
}

// ownerOf returns the user who alone may change dir, besides root; -1 for
// none.
func ownerOf(dir string) int {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || trustDir(dir, info) != nil || info.Mode()&fs.ModeSticky != 0 {
		return -1
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// openRoot opens the directory dir, of which no part may be a symbolic link
// any more.
func openRoot(dir string) (*os.Root, error) {
	fd, err := openDir(unix.AT_FDCWD, "/")
	for name := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if err != nil || name == "" {
			break
		}
		parent := fd
		fd, err = openDir(parent, name)
		_ = unix.Close(parent)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return rootOf(fd, dir)
}

func openDir(in int, name string) (int, error) {
	for {
		fd, err := unix.Openat(in, name, openAsPath|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
