package actions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A folder is the handlers' directory. Each executable NAME.sh in it handles
// the user event NAME.
type folder struct {
	path     string
	stamp    time.Time // when the directory changed last, as looked at last
	files    []handlerFile
	problems []string
}

type handlerFile struct{ path, event string }

const (
	handlerSuffix = ".sh"
	maxHandlers   = 256
)

var handlerName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:@-]{0,127}\.sh$`)

// open looks at the directory at path; empty: there is none.
func (f *folder) open(path string) {
	*f = folder{path: path}
	if path == "" {
		return
	}
	if err := f.read(); err != nil {
		f.problems = append(f.problems, fmt.Sprintf("cannot use the handlers in %s: %v", path, cause(err)))
		f.files = nil
	}
}

// changed reports whether files have come or gone.
func (f *folder) changed() bool {
	if f.path == "" {
		return false
	}
	info, err := os.Stat(f.path)
	return err == nil && !info.ModTime().Equal(f.stamp) || err != nil && !f.stamp.IsZero()
}

func (f *folder) read() error {
	if !filepath.IsAbs(f.path) {
		return errors.New("its path is not absolute")
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.stamp = info.ModTime()
	if err := ownAlone(info); err != nil {
		return err
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() || isNote(e) {
			continue
		}
		path := filepath.Join(f.path, e.Name())
		if err := usable(path); err != nil {
			f.problems = append(f.problems, fmt.Sprintf("%s does not handle anything: %v", printable(path), cause(err)))
			continue
		}
		if len(f.files) == maxHandlers {
			return fmt.Errorf("there are more than %d", maxHandlers)
		}
		f.files = append(f.files, handlerFile{path, strings.TrimSuffix(e.Name(), handlerSuffix)})
	}
	return nil
}

// isNote reports whether e is no attempt at a handler, as a README is not.
func isNote(e os.DirEntry) bool {
	if strings.HasSuffix(e.Name(), handlerSuffix) {
		return false
	}
	info, err := e.Info()
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0
}

// usable says why the file at path cannot be a handler.
func usable(path string) error {
	if !handlerName.MatchString(filepath.Base(path)) {
		return errors.New("its name is not EVENT.sh, of letters, digits and _ . : @ -")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case info.Mode().Perm()&0o111 == 0:
		return errors.New("it is not executable: chmod +x")
	}
	return ownAlone(info)
}

// ownAlone reports a file or directory that somebody else than root and this
// process's user may change: its handlers run with this process's rights.
func ownAlone(info os.FileInfo) error {
	sys, perm := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
	switch {
	case perm&0o002 != 0:
		return errors.New("everybody may write to it: chmod o-w")
	case sys.Uid != 0 && int(sys.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d: chown it to root, or to the agent's user", sys.Uid)
	case perm&0o020 != 0 && sys.Gid != 0 && int(sys.Gid) != os.Getegid():
		return fmt.Errorf("group %d may write to it: chmod g-w", sys.Gid)
	}
	return nil
}

// Rescan looks at the handlers' directory again. That happens anyway before a
// user event when files have come or gone; it is needed when the rights of one
// have changed.
func (r *Runner) Rescan() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.folder.path != "" {
		r.rescan()
	}
}

func (r *Runner) rescan() {
	before := r.folder
	r.folder.open(before.path)
	for _, p := range r.folder.problems {
		if !slices.Contains(before.problems, p) {
			r.log.Warn("a handler cannot be used", "problem", p)
		}
	}
	if !slices.Equal(before.files, r.folder.files) {
		r.log.Info("the handlers' directory has changed", "dir", r.folder.path, "handlers", len(r.folder.files))
		r.arrange()
	}
}
