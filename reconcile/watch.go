package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// A watchList connects the passes, which know what is to be watched, with Watch.
type watchList struct {
	wake    chan struct{} // one slot: the paths may be others now
	changed chan struct{} // one slot: somebody else touched a file
}

// poke makes Watch look at the paths again.
func (w *watchList) poke() { signal(w.wake) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Changed says that somebody else may have changed a managed file: look again.
// It holds one such word, and is only spoken to while Watch runs.
func (r *Reconciler) Changed() <-chan struct{} { return r.watch.changed }

// Watch follows the directories of all files that the rules want until ctx
// ends, and tells Changed. It is a help, not the truth: what it misses (a file
// system without notification, too many watches) the next pass sees anyhow. It
// fails only if it cannot begin.
func (r *Reconciler) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch files: %w", err)
	}
	defer w.Close()
	watching := map[string]bool{}
	told := map[string]bool{}
	r.watch.poke()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.watch.wake:
			r.rewatch(w, watching, told)
		case event, ok := <-w.Events:
			if !ok {
				return nil
			}
			if watching[event.Name] && event.Has(fsnotify.Remove|fsnotify.Rename) {
				delete(watching, event.Name)
			}
			if isHidden(filepath.Base(event.Name)) {
				continue
			}
			managed, touched := r.concerns(event.Name)
			if touched {
				signal(r.watch.changed)
			}
			if !managed && event.Has(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) {
				r.rewatch(w, watching, told)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				r.log.Warn("watching files is disturbed", "error", err)
			}
			signal(r.watch.changed)
		}
	}
}

// concerns reports whether name is a managed file, and whether an event there
// is a reason to look again: the file is not as it was left, or name is a
// directory on the way to one.
func (r *Reconciler) concerns(name string) (managed, touched bool) {
	for path, real := range r.managed() {
		if name == path || name == real {
			return true, !r.intact(real)
		}
		if isBelow(path, name) || isBelow(real, name) {
			touched = true
		}
	}
	return false, touched
}

// intact reports whether the file is as it was left.
func (r *Reconciler) intact(real string) bool {
	var st unix.Stat_t
	return lstat(real, &st) == nil && r.sums.is(real, idOf(&st))
}

// Disturbed names the rules of which a file is not as it was left, sorted: what
// there is to look at when Changed speaks. A rule in the middle of a pass may be
// among them for what the pass itself does.
func (r *Reconciler) Disturbed() []string {
	managed := r.managed()
	r.mu.Lock()
	claims := maps.Clone(r.claims)
	r.mu.Unlock()
	rules := map[string]bool{}
	for path, real := range managed {
		if rule := claims[path]; !rules[rule] && !r.intact(real) {
			rules[rule] = true
		}
	}
	return slices.Sorted(maps.Keys(rules))
}

func isBelow(path, dir string) bool {
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// managed returns the paths that rules want, and where the files themselves are.
func (r *Reconciler) managed() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths := make(map[string]string, len(r.claims))
	for path := range r.claims {
		paths[path] = path
	}
	for _, st := range r.rules {
		for _, f := range st.report.files {
			if f.Link != "" {
				paths[f.Path] = f.Link
			}
		}
	}
	return paths
}

// rewatch watches the directories of all managed files; where one is missing,
// the nearest one above it.
func (r *Reconciler) rewatch(w *fsnotify.Watcher, watching, told map[string]bool) {
	wanted := map[string]bool{}
	want := func(dir string) {
		if !watching[dir] { // what is watched exists
			dir = nearest(dir)
		}
		wanted[dir] = true
	}
	for path, real := range r.managed() {
		want(filepath.Dir(path))
		want(filepath.Dir(real))
	}
	for _, dir := range slices.Sorted(maps.Keys(watching)) {
		if !wanted[dir] {
			_ = w.Remove(dir) // it may be gone itself
			delete(watching, dir)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(wanted)) {
		if watching[dir] {
			continue
		}
		if err := w.Add(dir); err == nil {
			watching[dir] = true
			signal(r.watch.changed) // for what happened before
		} else if !told[dir] && !errors.Is(err, fs.ErrNotExist) {
			told[dir] = true
			r.log.Warn("a directory cannot be watched; its files are only looked at now and then", "directory", dir, "error", err)
		}
	}
}

// nearest returns dir, or the first directory above it that exists.
func nearest(dir string) string {
	for dir != "/" {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}
