package agent

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// sourcesQuiet is how long rule and template files must be left alone before
// they are read: an editor saves in several steps.
const sourcesQuiet = 200 * time.Millisecond

// A sources watches the files that the rules are read from.
type sources struct {
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil: the resync has to find changes
	paths   []string
	dirs    map[string]bool // watched
	seen    uint64          // fingerprint of the paths when they were read
	timer   *time.Timer
}

// newSources watches nothing yet. Blind, or where the kernel has no watches
// left, the resync still finds every change.
func newSources(log *slog.Logger, blind bool) *sources {
	s := &sources{log: log, dirs: map[string]bool{}, timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	if blind {
		return s
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn(fmt.Sprintf("cannot watch the rules, changes are found at the next resync: %v", err))
		return s
	}
	s.watcher = w
	return s
}

func (s *sources) close() {
	s.timer.Stop()
	if s.watcher != nil {
		s.watcher.Close()
	}
}

// set replaces the watched paths, just before they are read. A directory
// stands for the names in it, and a file is watched through its directory, as
// editors replace files.
func (s *sources) set(paths []string) {
	s.paths, s.seen = paths, fingerprint(paths)
	if s.watcher == nil {
		return
	}
	wanted := map[string]bool{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			wanted[path] = true
		} else {
			wanted[filepath.Dir(path)] = true
		}
	}
	for dir := range s.dirs {
		if !wanted[dir] {
			_ = s.watcher.Remove(dir) // gone already, perhaps
		}
	}
	// Adding what is watched already is free, and brings back a directory
	// that was replaced.
	for dir := range wanted {
		if err := s.watcher.Add(dir); err != nil {
			s.log.Debug("cannot watch a directory, its changes are found at the next resync", "dir", dir, "error", err)
		}
	}
	s.dirs = wanted
}

// events receives when something happened in a watched directory; the caller
// then calls stir.
func (s *sources) events() <-chan fsnotify.Event {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Events
}

// errors receives what the watcher itself complains of, such as an overflow;
// the caller then calls stir.
func (s *sources) errors() <-chan error {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Errors
}

// stir has settled receive once things have been quiet.
func (s *sources) stir() { s.timer.Reset(sourcesQuiet) }

// settled receives when it is time to ask whether the sources changed.
func (s *sources) settled() <-chan time.Time { return s.timer.C }

// changed reports whether the paths differ from what was last read.
func (s *sources) changed() bool { return fingerprint(s.paths) != s.seen }

// fingerprint tells two states of the paths apart by what the file system
// says of them, and of directories by the rule files in them.
func fingerprint(paths []string) uint64 {
	h := fnv.New64a()
	note := func(path string) {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(h, "%s\x00%v\n", path, err)
			return
		}
		if !info.IsDir() {
			fmt.Fprintf(h, "%s\x00%v\x00%d\x00%d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, path := range paths {
		note(path)
		for _, pattern := range []string{"*.hcl", "*.hcl.json"} {
			inside, _ := filepath.Glob(filepath.Join(escapeGlob(path), pattern)) // no error: the pattern is good
			for _, file := range inside {
				note(file)
			}
		}
	}
	return h.Sum64()
}

// escapeGlob makes a path mean itself to filepath.Glob.
func escapeGlob(path string) string {
	escaped := make([]byte, 0, len(path))
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}
