package command

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// needNamespace skips a test that needs CAP_SYS_ADMIN; on CI that is a failure.
func needNamespace(t *testing.T) {
	t.Helper()
	res := Run(t.Context(), Command{Argv: []string{"/bin/true"}, Show: []Shown{{At: "/etc/passwd", From: "/etc/group"}}})
	if !errors.Is(res.Err, ErrNoNamespace) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(res.Err)
	}
	t.Skip("SKIPPED: ", res.Err)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The program finds what is shown; nobody else does, and nothing is left.
func TestShow(t *testing.T) {
	needNamespace(t)
	dir := filepath.Join(t.TempDir(), "a,b:c d\\")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("changed"), "old")
	put(t, at("kept"), "kept")
	put(t, at("gone"), "gone")
	put(t, at(".changed.new"), "new")
	put(t, at(".fresh.new"), "fresh")
	put(t, at(".unread.new"), "unread")
	before := mounts(t)

	res := run(t, t.Context(), Command{
		Argv: []string{"/bin/sh", "-c", `cd "$1" && ls && stat -c %a . && cat changed kept fresh && echo made >made`, "sh", dir},
		Env:  BaseEnv(nil),
		Show: []Shown{
			{At: at("changed"), From: at(".changed.new")}, {At: at("fresh"), From: at(".fresh.new")},
			{At: at("gone")}, {At: at("unread"), From: at(".unread.new")},
		},
	})
	if !res.OK() {
		t.Fatalf("%+v %s", res, res.Output)
	}
	if diff := cmp.Diff("changed\nfresh\nkept\nunread\n750\nnewkeptfresh", string(res.Output)); diff != "" {
		t.Errorf("in the namespace (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{at("changed"): true, at("fresh"): true}, res.Opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(at(e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	want := map[string]string{"changed": "old", "kept": "kept", "gone": "gone",
		".changed.new": "new", ".fresh.new": "fresh", ".unread.new": "unread"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outside of it (-want +got):\n%s", diff)
	}
	if after := mounts(t); after != before {
		t.Errorf("mounts: before\n%s\nafter\n%s", before, after)
	}
}

func mounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What cannot be shown is an error, and the program does not run.
func TestShowFails(t *testing.T) {
	needNamespace(t)
	dir := t.TempDir()
	ran := filepath.Join(t.TempDir(), "ran")
	put(t, filepath.Join(dir, "file"), "")
	for _, s := range []Shown{
		{At: filepath.Join(dir, "file"), From: filepath.Join(dir, "nothing")},
		{At: filepath.Join(dir, "file")},
		{At: filepath.Join(dir, "nowhere", "file"), From: filepath.Join(dir, "file")},
	} {
		res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", `>"$1"; cat "$2"`, "sh", ran, s.At}, Show: []Shown{s}})
		gone := s.From == "" // is no mistake, but the program must not find it
		if res.OK() || gone != (res.Err == nil) {
			t.Errorf("%+v: %+v", s, res)
		}
		_, err := os.Stat(ran)
		if gone != (err == nil) {
			t.Errorf("%+v: ran is %v", s, err)
		}
		_ = os.Remove(ran)
	}
}

// Another user's program, its timeout and its output are as ever.
func TestShowAsOtherUser(t *testing.T) {
	needNamespace(t)
	dir, err := os.MkdirTemp("/var/tmp", "muster-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
	put(t, file, "old")
	put(t, other, "new")
	res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", `id -un; cat "$1"`, "sh", file}, User: "nobody",
		Env: BaseEnv(nil), Show: []Shown{{At: file, From: other}}})
	if got := string(res.Output); !res.OK() || !strings.HasPrefix(got, "nobody\nnew") {
		t.Errorf("%+v: %s", res, got)
	}
}

// Threads that were given a namespace do not come back.
func TestShowLeavesNoThread(t *testing.T) {
	needNamespace(t)
	dir := t.TempDir()
	file, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
	put(t, file, "old")
	put(t, other, "new")
	for range 200 {
		if res := Run(t.Context(), Command{Argv: []string{"/bin/cat", file}, Show: []Shown{{At: file, From: other}}}); string(res.Output) != "new" {
			t.Fatalf("%+v", res)
		}
		if res := Run(t.Context(), Command{Argv: []string{"/bin/cat", file}}); string(res.Output) != "old" {
			t.Fatalf("a program that is shown nothing: %+v", res)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) > 60 {
		t.Errorf("%d threads", len(tasks))
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if ns, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/mnt"); err == nil && ns != own {
			t.Errorf("thread %s has a namespace of its own", task.Name())
		}
	}
}

// What else is mounted in a directory is there under the layer, too.
func TestShowKeepsMounts(t *testing.T) {
	needNamespace(t)
	dir := os.Getenv("MUSTER_TEST_MOUNTS")
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "a b")
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		inNamespace(t, "MUSTER_TEST_MOUNTS="+dir)
		return
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("file"), "hidden")
	put(t, at("over"), "over")
	put(t, at("new"), "new")
	if err := unix.Mount(at("over"), at("file"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", at("sub"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	put(t, at("sub/file"), "sub")
	res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", `cd "$1" && cat file sub/file fresh`, "sh", dir},
		Env: BaseEnv(nil), Show: []Shown{{At: at("fresh"), From: at("new")}}})
	if got := string(res.Output); !res.OK() || got != "oversubnew" {
		t.Errorf("%+v: %s", res, got)
	}
}

// Nothing can be laid over the root directory; it stays as it is.
func TestShowInRoot(t *testing.T) {
	needNamespace(t)
	root := os.Getenv("MUSTER_TEST_ROOT")
	if root == "" {
		inNamespace(t, "MUSTER_TEST_ROOT="+t.TempDir())
		return
	}
	for _, do := range []error{
		unix.Mount("tmpfs", root, "tmpfs", 0, ""), unix.Mkdir(filepath.Join(root, "proc"), 0o755), unix.Mkdir(filepath.Join(root, "old"), 0o755),
		unix.Mount("/proc", filepath.Join(root, "proc"), "", unix.MS_BIND|unix.MS_REC, ""), unix.PivotRoot(root, filepath.Join(root, "old")), unix.Chdir("/"),
	} {
		if do != nil {
			t.Fatal(do)
		}
	}
	put(t, "/gone", "gone")
	put(t, "/new", "new")
	for _, s := range []Shown{{At: "/gone"}, {At: "/fresh", From: "/new"}} {
		if res := Run(t.Context(), Command{Argv: []string{"/old/bin/true"}, Show: []Shown{s}}); res.Err == nil || errors.Is(res.Err, ErrNoNamespace) {
			t.Errorf("%+v: %+v", s, res)
		}
	}
	var names []string
	entries, err := os.ReadDir("/")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"gone", "new", "old", "proc"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// inNamespace runs the test once more, in a mount namespace of its own.
func inNamespace(t *testing.T, env string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What others open who do not see the files in their places was not opened.
func TestShowOpenedElsewhere(t *testing.T) {
	needNamespace(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"read", "unread", "new1", "new2"} {
		put(t, at(name), name)
	}
	if err := unix.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // while the program waits for it
		pipe, err := os.OpenFile(at("pipe"), os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		for _, name := range []string{"new1", "new2"} {
			if _, err := os.ReadFile(at(name)); err != nil {
				t.Error(err)
			}
		}
		pipe.Close()
	}()
	res := run(t, t.Context(), Command{Argv: []string{"/bin/cat", at("pipe"), at("read")},
		Show: []Shown{{At: at("read"), From: at("new1")}, {At: at("unread"), From: at("new2")}}})
	if diff := cmp.Diff(map[string]bool{at("read"): true}, res.Opened); diff != "" || string(res.Output) != "new1" {
		t.Errorf("%+v: opened (-want +got):\n%s", res, diff)
	}
}
