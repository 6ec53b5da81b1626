package command

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

func (c Command) name() string {
	if len(c.Argv) == 0 {
		return "a command"
	}
	return Line([]byte(c.Argv[0]), 200)
}

// Find returns the path of the program that Run would run, or why it cannot.
func (c Command) Find() (string, error) { return c.lookPath() }

// lookPath finds the program in the PATH of the command's own environment.
func (c Command) lookPath() (string, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", errors.New("cannot run a command: it names no program")
	}
	for _, arg := range append(c.Argv[:len(c.Argv):len(c.Argv)], c.Env...) {
		if strings.ContainsRune(arg, 0) {
			return "", fmt.Errorf("cannot run %s: a zero byte in %q", c.name(), arg)
		}
	}
	file := c.Argv[0]
	if strings.Contains(file, "/") {
		if !filepath.IsAbs(file) && c.Dir != "" {
			file = filepath.Join(c.Dir, file)
		}
		return file, c.executable(file)
	}
	path := lookup(c.Env, "PATH")
	var found error
	for dir := range strings.SplitSeq(path, ":") {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, file)
		err := c.executable(candidate)
		if err == nil {
			return candidate, nil
		}
		if found == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", fmt.Errorf("cannot run %s: not found in PATH %s: install it or give its full path", c.name(), path)
}

// executable says why the file at path could not be executed.
func (c Command) executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("cannot run %s: %s %w", c.name(), path, fs.ErrNotExist)
	case err != nil:
		return fmt.Errorf("cannot run %s: %w", c.name(), err)
	case info.IsDir():
		return fmt.Errorf("cannot run %s: %s is a directory", c.name(), path)
	case info.Mode()&0o111 == 0 || c.User == "" && unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) != nil:
		return fmt.Errorf("cannot run %s: %s is not executable: try chmod +x %[2]s", c.name(), path)
	}
	return nil
}

// explain says what the error of a failed start means.
func (c Command) explain(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("cannot run %s: %s is no program for this machine; a script needs #! and its interpreter in the first line", c.name(), path)
	case errors.Is(err, syscall.ENOENT) && c.Dir != "" && !isDir(c.Dir):
		return fmt.Errorf("cannot run %s: its working directory %s does not exist", c.name(), c.Dir)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("cannot run %s: the interpreter that the first line of %s names does not exist", c.name(), path)
	case errors.Is(err, syscall.EPERM) && c.User != "":
		return fmt.Errorf("cannot run %s as user %s: not permitted: that takes root, with CAP_SETUID and CAP_SETGID, or sandbox = \"systemd-run\"", c.name(), c.User)
	case errors.Is(err, syscall.EACCES) && c.User != "":
		return fmt.Errorf("cannot run %s: user %s may not execute %s", c.name(), c.User, path)
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("cannot run %s: %w", c.name(), err)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }
