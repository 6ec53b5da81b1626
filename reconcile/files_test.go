package reconcile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"muster/command"
)

func stat(t fataler, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return info.Sys().(*syscall.Stat_t)
}

func (h *host) mode(name string) string {
	h.Helper()
	return fmt.Sprintf("%04o", stat(h, h.path(name)).Mode&0o7777)
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func TestMode(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	h := testHost(t)
	h.converge(h.unit("web", h.file("new", "1")), InSync)
	if got := h.mode("new"); got != "0644" {
		t.Errorf("a new file is %s", got)
	}
	must(t, os.Chmod(h.path("new"), 0o640))
	h.converge(h.unit("web", h.file("new", "2")), InSync)
	if got := h.mode("new"); got != "0640" {
		t.Errorf("0640 was not kept but became %s", got)
	}
	f := h.file("new", "2")
	mode := fs.FileMode(0o600) | fs.ModeSetgid
	f.Mode = &mode
	out := h.converge(h.unit("web", f), InSync)
	if got := h.mode("new"); got != "2600" || len(out.Changed) != 1 {
		t.Errorf("perms 2600 became %s", got)
	}
	must(t, os.Chmod(h.path("new"), 0o666)) // drifts, and is put back
	h.converge(h.unit("web", f), InSync)
	if got := h.mode("new"); got != "2600" {
		t.Errorf("perms became %s", got)
	}
	// a rollback brings back the mode, too
	must(t, os.Chmod(h.path("new"), 0o604))
	bad := h.file("new", "bad")
	bad.Mode = &mode
	h.converge(h.unit("web", bad), Failed)
	if got := h.mode("new"); got != "0604" {
		t.Errorf("after a rollback it is %s", got)
	}
}

func TestOwner(t *testing.T) {
	h := testHost(t)
	f := h.file("x", "1")
	f.User, f.Group = "daemon", "2"
	u := h.unit("web", f)
	if os.Geteuid() != 0 {
		matches(t, h.converge(u, Failed).Err, `cannot write .*/x: owner 1:2 cannot be set, only root may`)
		h.expect("x", "")
		h.noLeftovers()
		return
	}
	h.converge(u, InSync)
	if st := stat(t, h.path("x")); st.Uid != 1 || st.Gid != 2 {
		t.Errorf("owner %d:%d", st.Uid, st.Gid)
	}
	h.converge(h.unit("web", h.file("x", "2")), InSync) // kept where nothing is said
	if st := stat(t, h.path("x")); st.Uid != 1 || st.Gid != 2 {
		t.Errorf("owner %d:%d was not kept", st.Uid, st.Gid)
	}
	f = h.file("x", "2")
	f.User = "no-such-user"
	matches(t, h.converge(h.unit("web", f), Failed).Err, `^cannot set the owner of .*/x: there is no user no-such-user$`)
	f.User, f.Group = "", "no-such-group"
	matches(t, h.converge(h.unit("web", f), Failed).Err, `^cannot set the group of .*/x: there is no group no-such-group$`)
}

func tool(t *testing.T, argv ...string) string {
	t.Helper()
	res := command.Run(t.Context(), command.Command{Argv: argv, Env: command.BaseEnv(nil)})
	if !res.OK() {
		t.Fatalf("%v: %v", argv, res)
	}
	return string(res.Output)
}

func TestAttributesAreKept(t *testing.T) {
	h := testHost(t)
	must(t, os.WriteFile(h.path("x"), []byte("0"), 0o640))
	must(t, unix.Setxattr(h.path("x"), "user.note", []byte("kept"), 0))
	tool(t, "setfacl", "-m", "u:daemon:rw,g:daemon:r", h.path("x"))
	want := tool(t, "getfacl", "--absolute-names", h.path("x"))
	if !strings.Contains(want, "user:daemon:rw") {
		t.Fatal(want)
	}
	// what the directory would give a new file is not for one that exists
	must(t, os.WriteFile(h.path("plain"), []byte("0"), 0o640))
	tool(t, "setfacl", "-d", "-m", "u:sys:rwx", h.etc)
	plain := tool(t, "getfacl", "--absolute-names", h.path("plain"))

	for i, text := range []string{"1", "2", "bad"} {
		state := InSync
		if text == "bad" {
			state = Failed
		}
		h.converge(h.unit("web", h.file("x", text), h.file("plain", text)), state)
		if diff := cmp.Diff(want, tool(t, "getfacl", "--absolute-names", h.path("x"))); diff != "" {
			t.Errorf("change %d: ACL (-want +got)\n%s", i, diff)
		}
		if diff := cmp.Diff(plain, tool(t, "getfacl", "--absolute-names", h.path("plain"))); diff != "" {
			t.Errorf("change %d: ACL (-want +got)\n%s", i, diff)
		}
		value := make([]byte, 100)
		if n, err := unix.Getxattr(h.path("x"), "user.note", value); err != nil || string(value[:n]) != "kept" {
			t.Errorf("change %d: user.note is %q, %v", i, value[:max(n, 0)], err)
		}
	}
}

func TestLinks(t *testing.T) {
	h := testHost(t)
	must(t, os.MkdirAll(h.path("real"), 0o755))
	must(t, os.MkdirAll(h.path("links"), 0o755))
	h.put("real/x", "old")
	must(t, os.Symlink("../real/x", h.path("links/second")))
	must(t, os.Symlink("links/second", h.path("x")))
	must(t, os.Symlink(h.path("real"), h.path("dir"))) // a link on the way is no matter
	u := h.unit("web", h.file("x", "new"), h.file("dir/y", "new"))
	h.converge(u, InSync)
	h.expect("real/x", "new")
	h.expect("real/y", "new")
	for link, want := range map[string]string{"x": "links/second", "links/second": "../real/x"} {
		if got, err := os.Readlink(h.path(link)); err != nil || got != want {
			t.Errorf("the link %s leads to %q (%v)", link, got, err)
		}
	}
	if f := h.status("web").Files[1]; f.Link != h.path("real/x") {
		t.Errorf("status %+v", f)
	}
	h.converge(u, InSync)
	h.put("real/x", "by hand")
	if out := h.converge(u, InSync); len(out.Drifted) != 1 {
		t.Errorf("drifted %v", out.Drifted)
	}

	must(t, os.Symlink("nowhere", h.path("dangling")))
	matches(t, h.converge(h.unit("a", h.file("dangling", "x")), Failed).Err, `the link leads to .*/etc/nowhere, which does not exist: create that file or remove the link$`)
	must(t, os.Symlink("round", h.path("round")))
	matches(t, h.converge(h.unit("a", h.file("round", "x")), Failed).Err, `its links lead in a circle$`)
	must(t, os.Chmod(h.path("links"), 0o757))
	h.put("real/x", "by hand")
	matches(t, h.converge(u, Failed).Err, `the link stands in .*/links, which others may change: try chmod go-w .*/links$`)
	h.expect("real/x", "by hand")
	if os.Geteuid() == 0 {
		must(t, os.Chmod(h.path("links"), 0o755))
		must(t, os.Chown(h.path("links"), 1, 1))
		matches(t, h.converge(u, Failed).Err, `the link stands in .*/links, which belongs to user 1$`)
	}
}

func TestDirectories(t *testing.T) {
	h := testHost(t)
	f := h.file("a/b/c.conf", "x")
	matches(t, h.converge(h.unit("web", f), Failed).Err, `directory .*/etc/a/b does not exist: create it or say create_dest_dirs = true$`)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	f.MakeDirs = true
	f.Bytes = []byte("bad")
	h.converge(h.unit("web", f), Failed)
	if _, err := os.Stat(h.path("a")); !os.IsNotExist(err) {
		t.Errorf("directories of a failed change are left: %v", err)
	}
	f.Bytes = []byte("x")
	h.converge(h.unit("web", f), InSync)
	h.expect("a/b/c.conf", "x")
	if a, b := h.mode("a"), h.mode("a/b"); a != "0755" || b != "0755" {
		t.Errorf("new directories are %s and %s", a, b)
	}

	sticky := uint32(0o1777)
	for _, test := range []struct {
		mode uint32
		gid  int
		want string // "" for fine
	}{
		{0o757, -1, `cannot write in .*/a/b: everybody may change it: try chmod o-w .*/a/b$`},
		{0o775, 4, `cannot write in .*/a/b: group 4 may change it: try chmod g-w .*/a/b$`},
		{0o775, os.Getegid(), ""},
		{0o1777, -1, ""},
		{0o755, -1, ""},
	} {
		if test.gid > 0 && os.Geteuid() != 0 {
			continue
		}
		must(t, syscall.Chown(h.path("a/b"), -1, test.gid))
		must(t, syscall.Chmod(h.path("a/b"), test.mode))
		f.Bytes = []byte(fmt.Sprintf("x %o %d", test.mode, test.gid))
		if test.want == "" {
			h.converge(h.unit("web", f), InSync)
		} else {
			matches(t, h.converge(h.unit("web", f), Failed).Err, test.want)
		}
	}
	if os.Geteuid() == 0 { // somebody else's file where everybody may create files
		must(t, syscall.Chmod(h.path("a/b"), sticky))
		must(t, os.Chown(h.path("a/b/c.conf"), 1, 1))
		f.Bytes = []byte("y")
		matches(t, h.converge(h.unit("web", f), Failed).Err, `it belongs to user 1, and others may create files in .*/a/b`)
		f.User = "daemon"
		h.converge(h.unit("web", f), InSync)
	}
	h.noLeftovers()
}

func TestNotAFile(t *testing.T) {
	h := testHost(t)
	must(t, os.Mkdir(h.path("dir"), 0o755))
	must(t, syscall.Mkfifo(h.path("pipe"), 0o644))
	h.put("plain", "x")
	for name, want := range map[string]string{
		"dir":       `^cannot use .*/dir: it is a directory, not a file$`,
		"pipe":      `^cannot use .*/pipe: it is a named pipe, not a file$`,
		"plain/sub": `^cannot use .*/plain/sub: a part of its path is not a directory$`,
	} {
		matches(t, h.converge(h.unit("web", h.file(name, "x")), Failed).Err, want)
	}
	// all that is wrong is said at once, and nothing was done
	out := h.converge(h.unit("web", h.file("dir", "x"), h.file("pipe", "x"), h.file("fine", "x")), Failed)
	if lines := strings.Split(out.Err.Error(), "\n"); len(lines) != 2 {
		t.Errorf("got %v", out.Err)
	}
	h.expect("fine", "")
}

func TestLongNamesAndLargeFiles(t *testing.T) {
	h := testHost(t)
	long := strings.Repeat("n", 250) + ".conf"
	large := strings.Repeat("0123456789abcdef", 1<<20)
	u := h.unit("web", h.file(long, "x"), h.file("large", large))
	h.converge(u, InSync)
	h.converge(h.unit("web", h.file(long, "y"), h.file("large", large+"!")), InSync)
	h.expect(long, "y")
	h.expect("large", large+"!")
	h.noLeftovers()
}

// What include directories and globs see is never a temporary file.
func TestHiddenNames(t *testing.T) {
	r := &Reconciler{owner: "01234567", run: "89abcdef"}
	for _, name := range []string{"web.conf", "haproxy.cfg", "x.json", "y.hcl", "plain", ".dot", strings.Repeat("é", 127)} {
		for _, kind := range []string{"new", "old", "tmp"} {
			hidden := r.hide(name, kind)
			if !isHidden(hidden) || len(hidden) > 255 || hidden[0] != '.' {
				t.Errorf("%s is hidden as %s", name, hidden)
			}
			for _, glob := range []string{"*.conf", "*.cfg", "*.json", "*.hcl", "*.yml", "*.vcl", "[^.]*"} {
				if ok, err := filepath.Match(glob, hidden); ok || err != nil {
					t.Errorf("%s matches %s", hidden, glob)
				}
			}
		}
	}
	a, b := r.hide(strings.Repeat("a", 200), "new"), r.hide(strings.Repeat("a", 201), "new")
	if a == b {
		t.Error("two long names are hidden as one")
	}
}

// Only what a dead process with the same state directory left is swept.
func TestSweep(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "a"))
	h.converge(u, InSync)
	mine := ".b.conf.muster-" + h.r.owner + "-00000000.new"
	keep := []string{
		".b.conf.muster-ffffffff-00000000.new", // another muster's
		".b.conf.muster-" + h.r.owner + "-00000000.keep",
		"b.conf.muster-" + h.r.owner + "-00000000.new",
		".muster-notes",
	}
	for _, name := range append(keep, mine) {
		h.put(name, "x")
	}
	must(t, os.Mkdir(h.path(".d.muster-"+h.r.owner+"-00000000.new"), 0o755))
	h.restart()
	h.converge(u, InSync)
	h.expect(mine, "")
	for _, name := range keep {
		h.expect(name, "x")
	}
	if _, err := os.Stat(h.path(".d.muster-" + h.r.owner + "-00000000.new")); err != nil {
		t.Error(err)
	}
}

func TestNoDescriptorLeaks(t *testing.T) {
	h := testHost(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	h.converge(h.unit("web", h.file("a.conf", "0")), InSync)
	before := count()
	for i, text := range slices.Repeat([]string{"fine", "bad", "unloadable"}, 10) {
		h.r.Converge(t.Context(), []Unit{h.unit("web", h.file("a.conf", fmt.Sprint(text, i)), h.file("b.conf", "b"))})
		h.r.Converge(t.Context(), []Unit{h.unit("web", h.file("a.conf", fmt.Sprint(text, i)), h.file("none/b.conf", "b"))})
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
