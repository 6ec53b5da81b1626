package reconcile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"muster/statedir"
)

// A place is an open directory that files are changed in. All that happens in
// it goes through the handle, so nobody can lead it elsewhere meanwhile.
type place struct {
	*os.Root
	dir string
}

// CheckDir reports why files in dir, which may be reached by symbolic links,
// would not be written: others could put theirs in the place of ours.
func CheckDir(dir string) error {
	real, err := resolveDir(dir)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", dir, cause(err))
	}
	p, err := openPlace(real)
	if err != nil {
		return err
	}
	return p.Close()
}

// openPlace opens dir, which has no symbolic links in it, and refuses it if
// others could put their files in the place of ours.
func openPlace(dir string) (place, error) {
	root, err := openRoot(dir)
	if err != nil {
		return place{}, fmt.Errorf("cannot use %s: %w", dir, cause(err))
	}
	if err := trustRoot(root, dir); err != nil {
		root.Close()
		return place{}, err
	}
	return place{root, dir}, nil
}

func trustRoot(root *os.Root, dir string) error {
	info, err := root.Stat(".")
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", dir, cause(err))
	}
	return trustDir(dir, info)
}

// trustDir refuses a directory in which others than its owner can rename files:
// one that all may write without a sticky bit, or a group may write that is
// neither root's, nor one of this process's, nor its owner's private group
// (the one with the owner's own number).
func trustDir(dir string, info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t)
	sticky := st.Mode&unix.S_ISVTX != 0
	if st.Mode&0o002 != 0 && !sticky {
		return fmt.Errorf("cannot write in %s: everybody may change it: try chmod o-w %[1]s", dir)
	}
	if st.Mode&0o020 != 0 && !sticky && !ownGroup(st.Gid) && st.Gid != st.Uid {
		return fmt.Errorf("cannot write in %s: group %d may change it: try chmod g-w %[1]s", dir, st.Gid)
	}
	if st.Mode&0o020 != 0 && !sticky {
		who, err := granted(dir, st.Uid)
		if err != nil {
			return fmt.Errorf("cannot write in %s: cannot read its access control list: %w", dir, err)
		}
		if who != "" {
			return fmt.Errorf("cannot write in %s: its access control list lets %s change it: try setfacl -b %[1]s", dir, who)
		}
	}
	return nil
}

// granted names one whom the access control list of dir, a directory of owner's,
// lets change it, besides owner, root and this process; empty: nobody. Without a
// list, or without w for the group, which then stands for the list's mask, there
// is none (acl(5); the format is that of Linux, posix_acl_xattr.h).
func granted(dir string, owner uint32) (who string, err error) {
	const user, group, write = 2, 8, 2
	list := make([]byte, 4<<10)
	n, err := unix.Lgetxattr(dir, acl, list)
	if acl == "" || errors.Is(err, errNoAttribute) || errors.Is(err, unix.ENOTSUP) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	for entry := range slices.Chunk(list[min(4, n):n], 8) {
		if len(entry) < 8 || binary.LittleEndian.Uint16(entry[2:])&write == 0 {
			continue
		}
		id := binary.LittleEndian.Uint32(entry[4:])
		switch binary.LittleEndian.Uint16(entry) {
		case user:
			if id != 0 && id != owner && int(id) != os.Geteuid() {
				return fmt.Sprintf("user %d", id), nil
			}
		case group:
			if id != owner && !ownGroup(id) {
				return fmt.Sprintf("group %d", id), nil
			}
		}
	}
	return "", nil
}

func ownGroup(gid uint32) bool {
	if gid == 0 || int(gid) == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	return err == nil && slices.Contains(groups, int(gid))
}

// locate says in which directory, free of links, the file at path is or will
// be, creating that directory if f asks for it. made are the directories that
// were created, outermost first; also when it fails.
func locate(f File, seen sighting) (dir, name string, made []string, err error) {
	parent := filepath.Dir(seen.real)
	dir, err = resolveDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		if !f.MakeDirs {
			return "", "", nil, fmt.Errorf("cannot write %s: directory %s does not exist: create it or say create_dest_dirs = true", f.Path, parent)
		}
		if made, err = makeDirs(parent); err == nil {
			dir, err = resolveDir(parent)
		}
	}
	if err != nil {
		return "", "", made, fmt.Errorf("cannot write %s: %w", f.Path, cause(err))
	}
	if !utf8.ValidString(seen.real) || !utf8.ValidString(dir) { // the journal is JSON
		return "", "", made, fmt.Errorf("cannot write %q: its name is not UTF-8", seen.real)
	}
	return dir, filepath.Base(seen.real), made, nil
}

// makeDirs creates path and what is missing above it, each 0755 whatever the
// umask, and returns those it created.
func makeDirs(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return nil, fmt.Errorf("%s is not a directory", path)
		}
		return nil, trustDir(path, info)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	parent := filepath.Dir(path)
	made, err := makeDirs(parent)
	if err != nil {
		return made, err
	}
	fresh, err := makeDir(parent, filepath.Base(path))
	if err != nil {
		return made, fmt.Errorf("cannot create directory %s: %w", path, cause(err))
	}
	if fresh {
		made = append(made, path)
	}
	return made, statedir.Sync(parent)
}

// makeDir creates the directory name in parent, 0755 whatever the umask, and
// reports whether it did: one that is there already is left as it is. Whoever
// owns parent may put a link in its place meanwhile, so that nothing of it
// goes by name.
func makeDir(parent, name string) (fresh bool, err error) {
	above, err := openAbove(parent)
	if err != nil {
		return false, err
	}
	defer above.Close()
	in := int(above.Fd())
	if err := unix.Mkdirat(in, name, 0o755); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	fd, err := unix.Openat(in, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return true, err
	}
	if int(st.Uid) != os.Geteuid() {
		return true, fmt.Errorf("user %d put another in its place", st.Uid)
	}
	return true, unix.Fchmod(fd, 0o755)
}

// removeDir removes an empty directory that makeDir made, likewise.
func removeDir(path string) error {
	above, err := openAbove(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer above.Close()
	return unix.Unlinkat(int(above.Fd()), filepath.Base(path), unix.AT_REMOVEDIR)
}

// openAbove opens a directory that others are made in or removed from.
func openAbove(dir string) (*os.File, error) {
	real, err := resolveDir(dir)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(real)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(".")
}

// sync makes the names in p durable.
func (p place) sync() error {
	d, err := p.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// trustFile refuses a file in a directory where everybody may create files (as
// /tmp) if somebody else did: it would keep its owner.
func (p place) trustFile(w *want) error {
	info, err := p.Stat(".")
	if err != nil {
		return cause(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	known := w.seen.uid == 0 || int(w.seen.uid) == os.Geteuid() || w.dress.uid != nil && *w.dress.uid == w.seen.uid
	if st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX != 0 && !known {
		return fmt.Errorf("it belongs to user %d, and others may create files in %s: remove it, or name that user in the rule", w.seen.uid, p.dir)
	}
	return nil
}
