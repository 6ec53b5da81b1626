package web

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The length of a token, in bytes of text.
const (
	minToken = 16
	maxToken = 1024
)

// OpenToken returns the token in a file. If there is no such file it makes one,
// of mode 0600, with a new token of 256 random bits.
func OpenToken(path string) (string, error) {
	token, err := readToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeToken(path); err == nil {
			token, err = readToken(path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot use the token in %s: %w", path, withoutPath(err))
	}
	return token, nil
}

func readToken(path string) (string, error) {
	// A named pipe would keep it waiting.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	uid := info.Sys().(*syscall.Stat_t).Uid
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return "", errors.New("it is no file")
	case mode&0o026 != 0:
		return "", fmt.Errorf("its mode is %#o, so that others can read or change it: chmod 0600 %s, and make a new one by removing it if it is no secret any more", mode.Perm(), path)
	case uid != 0 && int(uid) != os.Geteuid():
		return "", fmt.Errorf("user %d, whose file that is, knows it: chown it, and put another one in", uid)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxToken+2))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	switch {
	case len(token) < minToken:
		return "", fmt.Errorf("it has %d characters, and at least %d make a token: remove the file, and the agent makes a good one", len(token), minToken)
	case len(text) > maxToken+1:
		return "", fmt.Errorf("it has more than %d characters", maxToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it has a character that a header cannot hold: use letters and digits, on one line")
	}
	return token, nil
}

// makeToken makes the file. It is there as a whole or not at all.
func makeToken(path string) error {
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	f, err := os.CreateTemp(filepath.Dir(path), ".muster-token-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone by then, unless something failed
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// withoutPath is the cause of an error alone.
func withoutPath(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
