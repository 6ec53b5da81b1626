package web

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A token is made once, for the agent's user alone, and is then always the same.
func TestTokenIsMade(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	made, err := OpenToken(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || len(made) != 43 {
		t.Errorf("%q, mode %v, %v", made, info.Mode(), err)
	}
	if again, err := OpenToken(path); again != made || err != nil {
		t.Errorf("then it is %q, %v", again, err)
	}
	if other, err := OpenToken(filepath.Join(dir, "other")); other == made || err != nil {
		t.Errorf("another one is %q, %v", other, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
	if _, err := OpenToken(filepath.Join(dir, "none", "token")); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

// Tokens that are none, or none any more.
func TestBadTokens(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"a-good-token-of-mine", 0o600, ""},
		{"a-good-token-of-mine\n", 0o400, ""},
		{"a-good-token-of-mine", 0o640, ""}, // root's group may know it
		{"a-good-token-of-mine", 0o644, "others can read or change it: chmod 0600"},
		{"a-good-token-of-mine", 0o620, "others can read or change it"},
		{"", 0o600, "it has 0 characters, and at least 16 make a token"},
		{"short\n", 0o600, "it has 5 characters"},
		{"a-good-token\nand-another-one", 0o600, "a character that a header cannot hold"},
		{"a-good-töken-of-mine", 0o600, "a character that a header cannot hold"},
		{strings.Repeat("x", 2000), 0o600, "more than 1024 characters"},
	} {
		path := filepath.Join(dir, "token")
		os.Remove(path)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := OpenToken(path)
		switch {
		case c.want == "" && (err != nil || got != "a-good-token-of-mine"):
			t.Errorf("%q %o: %q, %v", c.text, c.mode, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(c.text) > 4 && strings.Contains(err.Error(), c.text)):
			t.Errorf("%q %o: %v", c.text, c.mode, err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenToken(pipe); err == nil || !strings.Contains(err.Error(), "it is no file") {
		t.Errorf("a pipe: %v", err)
	}
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	path := filepath.Join(dir, "token")
	os.Remove(path)
	if err := os.WriteFile(path, []byte("a-good-token-of-mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenToken(path); err == nil || !strings.Contains(err.Error(), "user 12345") {
		t.Errorf("another's: %v", err)
	}
}
