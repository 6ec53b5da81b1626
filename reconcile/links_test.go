package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Who may change a part of a path must not be able to have muster write
// elsewhere.
func TestLinkOfAnotherToADirectory(t *testing.T) {
	h := testHost(t)
	for _, dir := range []string{"theirs", "theirs/own", "system"} {
		must(t, os.Mkdir(h.path(dir), 0o755))
	}
	must(t, os.Symlink(h.path("system"), h.path("theirs/conf.d")))
	u := h.unit("web", h.file("theirs/conf.d/x", "new"))
	h.converge(u, InSync)
	h.expect("system/x", "new") // a link of one's own

	must(t, os.Chmod(h.path("theirs"), 0o757))
	u = h.unit("web", h.file("theirs/conf.d/x", "newer"))
	matches(t, h.converge(u, Failed).Err, `the link stands in .*/theirs, which others may change`)
	h.expect("system/x", "new")
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Chmod(h.path("theirs"), 0o755))
	must(t, os.Chown(h.path("theirs"), 1, 1))
	u = h.unit("web", h.file("theirs/conf.d/x", "newest"))
	matches(t, h.converge(u, Failed).Err, `the link stands in .*/theirs, which belongs to user 1, and leads to .*/system, which does not$`)
	h.expect("system/x", "new")
	// Also by way of a link of the system's own.
	must(t, os.Symlink("x", h.path("system/y")))
	matches(t, h.converge(h.unit("web", h.file("theirs/conf.d/y", "newer")), Failed).Err, `which belongs to user 1, and leads to .*/system`)
	h.expect("system/x", "new")
	// Their link to their own directory is their affair.
	must(t, os.Chown(h.path("theirs/own"), 1, 1))
	must(t, os.Remove(h.path("theirs/conf.d")))
	must(t, os.Symlink("own", h.path("theirs/conf.d")))
	h.converge(u, InSync)
	h.expect("theirs/own/x", "newest")
}

// A directory that turned into a link between looking and opening is refused.
func TestOpenRootFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	must(t, os.Symlink("a", filepath.Join(dir, "l")))
	for path, fine := range map[string]bool{"a/b": true, "a": true, "l": false, "l/b": false, "none": false} {
		root, err := openRoot(filepath.Join(dir, path))
		if (err == nil) != fine {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			root.Close()
		}
	}
	root, err := openRoot("/")
	must(t, err)
	root.Close()
}

// What appears in a directory's place before it was made is left alone.
func TestMakeDirTouchesNoLink(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	must(t, os.Mkdir(secret, 0o700))
	must(t, os.Symlink("secret", filepath.Join(dir, "new")))
	for _, name := range []string{"new", "secret"} {
		if fresh, err := makeDir(dir, name); err != nil || fresh {
			t.Errorf("%s: %v, %v", name, fresh, err)
		}
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the mode became %v (%v)", info.Mode(), err)
	}
}

// A journal says what to undo, and the lock is written to: nobody else may put
// anything in their place.
func TestStateOfOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	open := func() error {
		r, err := Open(Config{StateDir: dir})
		if err == nil {
			must(t, r.Close())
		}
		return err
	}
	must(t, open())
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("precious"), 0o600))
	for _, name := range []string{"lock", "journal"} {
		path := filepath.Join(dir, name)
		must(t, os.Remove(path))
		must(t, os.Symlink(victim, path))
		if err := open(); err == nil {
			t.Errorf("a %s that is a link is taken", name)
		}
		must(t, os.Remove(path))
		must(t, syscall.Mkfifo(path, 0o600))
		if err := open(); err == nil {
			t.Errorf("a %s that is a pipe is taken", name)
		}
		must(t, os.Remove(path))
		must(t, open())
		if os.Geteuid() == 0 {
			must(t, os.Chown(path, 1, 1))
			matches(t, open(), name+` belongs to user 1: remove it, or choose another directory with --state$`)
			must(t, os.Chown(path, 0, 0))
		}
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
		t.Errorf("the victim holds %q (%v)", b, err)
	}
	must(t, open())
}

// The right to become another user was given to the old bytes.
func TestSetuidIsNotKept(t *testing.T) {
	h := testHost(t)
	h.put("x", "old")
	must(t, syscall.Chmod(h.path("x"), 0o6750))
	h.converge(h.unit("web", h.file("x", "new")), InSync)
	if m := h.mode("x"); m != "0750" {
		t.Errorf("the mode is %s", m)
	}
	h.converge(h.unit("web", h.file("x", "new")), InSync)
}

// theirs makes a directory of somebody else's.
func (h *host) theirs(t *testing.T, name string) {
	t.Helper()
	must(t, os.Mkdir(h.path(name), 0o755))
	if os.Geteuid() == 0 {
		must(t, os.Chown(h.path(name), 1, 1))
	} else {
		must(t, os.Chmod(h.path(name), 0o757))
	}
}

// A directory that was made for a change is taken away again with it, and
// nothing else, whatever its owner has put in its place.
func TestUndoLeavesOthersDirectories(t *testing.T) {
	h := testHost(t)
	h.theirs(t, "theirs")
	must(t, os.Chmod(h.path("theirs"), 0o755))
	must(t, os.MkdirAll(h.path("system/b"), 0o755)) // empty: it could be removed
	must(t, os.Mkdir(h.path("files"), 0o755))
	h.put("files/b", "precious")
	for _, target := range []string{"system", "files"} {
		f := h.file("theirs/a/b/"+target, "bad")
		f.MakeDirs = true
		h.hook = func(step, what string) error {
			if step == "undo" {
				must(t, os.Rename(h.path("theirs/a"), h.path("theirs/was-"+target)))
				must(t, os.Symlink(h.path(target), h.path("theirs/a")))
			}
			return nil
		}
		h.converge(h.unit(target, f), Failed)
		h.hook = nil
		if _, err := os.Lstat(h.path(target + "/b")); err != nil {
			t.Errorf("it is gone: %v", err)
		}
		must(t, os.Remove(h.path("theirs/a")))
	}
}

// A directory that an access control list lets somebody else change is theirs
// to put files and links into, though its group is root's.
func TestDirectoryWithAList(t *testing.T) {
	h := testHost(t)
	must(t, os.Mkdir(h.path("conf.d"), 0o755))
	h.put("victim", "precious")
	// As setfacl -m writes it: version 2, then tag, permissions and id of each.
	grant := func(tag, perms byte, id byte) {
		t.Helper()
		none := []byte{0xff, 0xff, 0xff, 0xff}
		list := []byte{2, 0, 0, 0}
		list = append(append(list, 1, 0, 7, 0), none...)
		if tag == 2 {
			list = append(list, tag, 0, perms, 0, id, 0, 0, 0)
		}
		list = append(append(list, 4, 0, 5, 0), none...)
		if tag == 8 {
			list = append(list, tag, 0, perms, 0, id, 0, 0, 0)
		}
		list = append(append(list, 16, 0, 7, 0), none...)
		list = append(append(list, 32, 0, 5, 0), none...)
		if err := unix.Setxattr(h.path("conf.d"), "system.posix_acl_access", list, 0); errors.Is(err, unix.ENOTSUP) {
			t.Skip("NOT TESTED: there are no access control lists here")
		} else {
			must(t, err)
		}
	}
	u := h.unit("web", h.file("conf.d/x", "new"))
	u.Again = true
	for want, as := range map[string][2]byte{"user 7": {2, 7}, "group 8": {8, 6}} {
		grant(as[0], as[1], want[len(want)-1]-'0')
		matches(t, h.converge(u, Failed).Err, `^cannot write .*conf\.d: its access control list lets `+want+` change it: try setfacl -b .*/conf\.d$`)
	}
	must(t, os.Symlink("../victim", h.path("conf.d/link")))
	matches(t, h.converge(h.unit("link", h.file("conf.d/link", "new")), Failed).Err, `the link stands in .*/conf\.d, whose access control list lets others change it`)
	h.expect("victim", "precious")
	must(t, os.Remove(h.path("conf.d/link")))
	grant(2, 5, 7) // who may only read
	h.converge(u, InSync)
	h.expect("conf.d/x", "new")
}
