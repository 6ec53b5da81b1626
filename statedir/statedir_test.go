package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file that somebody else could have put there is refused; for a look its
// owner does not matter.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own")
	write(t, own, "text")
	link := filepath.Join(dir, "link")
	if err := os.Symlink("own", link); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		own: "", link: "too many levels of symbolic links", pipe: "it is not a file",
		dir: "it is not a file", filepath.Join(dir, "none"): "no such file",
	} {
		f, err := Open(path, os.O_RDONLY)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%s): %v, want %q", filepath.Base(path), err, want)
		}
		if err == nil {
			f.Close()
		}
		if f, looked := Look(path); (looked == nil) != (err == nil) {
			t.Errorf("Look(%s): %v, and Open: %v", filepath.Base(path), looked, err)
		} else if looked == nil {
			f.Close()
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(own, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(own, os.O_RDONLY); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
		t.Errorf("another user's file: %v", err)
	}
	f, err := Look(own)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// Truncating waits until it is known that the file may be.
func TestTruncatesOnlyWhatMayBe(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "precious"), "text")
	if err := os.Symlink("precious", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "link"), os.O_WRONLY|os.O_TRUNC); err == nil {
		t.Error("a link was followed")
	}
	if text, err := os.ReadFile(filepath.Join(dir, "precious")); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	f, err := Open(filepath.Join(dir, "precious"), os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(path)
	if err == nil || !strings.Contains(err.Error(), "(process "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("locked twice: %v", err)
	}
	f.Close()
	if f, err = Lock(path); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := Lock(filepath.Join(path, "below")); err == nil {
		t.Error("locked below a file")
	}
}

func TestSync(t *testing.T) {
	dir := t.TempDir()
	if err := Sync(dir); err != nil {
		t.Error(err)
	}
	if err := Sync(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("synced: %v", err)
	}
}

// A file is replaced as a whole, also over what a crash left, and never
// through a link.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path+".new", []byte("half of a longer text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "", "two, longer"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Symlink("elsewhere", path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("x")); err == nil {
		t.Error("a link is written through")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "two, longer" {
		t.Errorf("after a failure: %q, %v", got, err)
	}
	if err := Replace(filepath.Join(dir, "missing", "file"), nil); err == nil {
		t.Error("a directory is made")
	}
}
