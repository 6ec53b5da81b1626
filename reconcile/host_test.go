package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/command"
)

func TestMain(m *testing.M) {
	if job := os.Getenv("MUSTER_TEST_HELPER"); job != "" {
		os.Exit(helper(job))
	}
	goleak.VerifyTestMain(m)
}

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A host is a directory with managed files, a state directory, a clock, and a
// service whose commands run in this process: "check" passes if no file that it
// sees contains "bad", "reload" loads what is there unless that contains
// "unloadable".
type host struct {
	fataler
	root, etc string
	r         *Reconciler
	clock     time.Time
	hook      func(step, what string) error
	cfg       Config

	mu          sync.Mutex
	ran         []string          // words of the commands that ran
	loaded      map[string]string // path to bytes, as the service has them
	approved    map[string]bool   // contents that a check has passed
	violations  []string
	failChecks  int // so many more checks fail
	failReloads int
	hangChecks  bool
}

func newHost(t fataler, root string) *host {
	h := &host{fataler: t, root: root, etc: filepath.Join(root, "etc"),
		clock:  time.Unix(1_700_000_000, 0),
		loaded: map[string]string{}, approved: map[string]bool{}}
	if err := os.MkdirAll(h.etc, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	h.cfg = Config{StateDir: filepath.Join(root, "state"), Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return h.clock }, run: h.command, OrphanAfter: -1,
		hook: func(step, what string) error {
			if h.hook != nil {
				return h.hook(step, what)
			}
			return nil
		}}
	return h
}

// testHost is a host for an ordinary test: open, and closed in the end.
func testHost(t *testing.T) *host {
	t.Helper()
	h := newHost(t, t.TempDir())
	h.open()
	t.Cleanup(func() {
		if err := h.r.Close(); err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, v := range h.violations {
			t.Error(v)
		}
	})
	return h
}

func (h *host) open() {
	h.Helper()
	r, err := Open(h.cfg)
	if err != nil {
		h.Fatalf("%v", err)
	}
	h.r = r
}

// restart closes the reconciler and opens another.
func (h *host) restart() {
	h.Helper()
	if err := h.r.Close(); err != nil {
		h.Fatalf("%v", err)
	}
	h.open()
}

func (h *host) path(name string) string { return filepath.Join(h.etc, name) }

// file is a wanted file.
func (h *host) file(name, text string) File {
	return File{Path: h.path(name), Bytes: []byte(text)}
}

// unit wants files and has the service's check and reload.
func (h *host) unit(rule string, files ...File) Unit {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	reload := command.Command{Argv: []string{"reload"}}
	return Unit{Rule: rule, Files: files, Static: true, Reload: &reload, Guard: Guard{MaxLoss: 1},
		Check: checkBy(CheckSwap, "check")}
}

// checkBy is a check that runs the command in the mode.
func checkBy(mode CheckMode, word string) *Check {
	return &Check{Mode: mode, Command: func(Standing) (command.Command, error) {
		return command.Command{Argv: []string{word}}, nil
	}}
}

// withStagedCheck makes the unit's check read the staged files.
func (u Unit) withStagedCheck() Unit {
	files := u.Files
	u.Check = &Check{Mode: CheckStaged, Command: func(at Standing) (command.Command, error) {
		argv := []string{"check-staged"}
		for _, f := range files {
			argv = append(argv, at.Files[f.Path])
		}
		return command.Command{Argv: argv}, nil
	}}
	return u
}

// command is the service.
func (h *host) command(ctx context.Context, c command.Command) command.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	word := c.Argv[0]
	h.ran = append(h.ran, word)
	fail := func(text string) command.Result { return command.Result{ExitCode: 1, Output: []byte(text)} }
	if err := ctx.Err(); err != nil {
		return command.Result{ExitCode: -1, Err: err}
	}
	switch {
	case strings.HasPrefix(word, "check"):
		if h.hangChecks {
			return command.Result{ExitCode: -1, TimedOut: true}
		}
		if h.failChecks > 0 {
			h.failChecks--
			return fail("the check is broken")
		}
		files, opened := h.all(), map[string]bool{}
		if word != "check-blind" { // which asks somebody who does not see what is shown
			for _, s := range c.Show {
				if delete(files, s.At); s.From != "" {
					b, err := os.ReadFile(s.From)
					if err != nil {
						h.Fatalf("%v", err)
					}
					files[s.At], opened[s.At] = string(b), true
				}
			}
		}
		if word == "check-staged" {
			files = map[string]string{}
			for _, path := range c.Argv[1:] {
				if b, err := os.ReadFile(path); err == nil {
					files[path] = string(b)
				}
			}
		}
		for path, text := range files {
			if strings.Contains(text, "bad") {
				res := fail(path + ": bad\n")
				res.Opened = opened
				return res
			}
		}
		for _, text := range files {
			h.approved[text] = true
		}
		return command.Result{Opened: opened}
	case strings.HasPrefix(word, "reload"):
		files := h.all()
		for path, text := range files {
			if !h.approved[text] {
				h.violations = append(h.violations, fmt.Sprintf("reload with unchecked %s: %q", path, text))
			}
		}
		if h.failReloads > 0 {
			h.failReloads--
			return fail("the service is down")
		}
		for path, text := range files {
			if strings.Contains(text, "unloadable") {
				return fail(path + ": unloadable\n")
			}
		}
		h.loaded = files
	}
	return command.Result{}
}

// all reads every file of the host that a service would include.
func (h *host) all() map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(h.etc, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) { // a dangling link
			return nil
		}
		files[path] = string(b)
		return err
	})
	if err != nil {
		h.Fatalf("%v", err)
	}
	return files
}

func (h *host) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ran := h.ran
	h.ran = nil
	return ran
}

// converge makes a pass with one unit, and expects a state.
func (h *host) converge(u Unit, want State) Outcome {
	h.Helper()
	out := h.r.Converge(context.Background(), []Unit{u})[0]
	if out.State != want {
		h.Fatalf("rule %s: state %q (%v), want %q", u.Rule, out.State, out.Err, want)
	}
	if (out.State == Failed || out.State == Owed) != (out.Err != nil) {
		h.Fatalf("rule %s: state %q with error %v", u.Rule, out.State, out.Err)
	}
	return out
}

// expect compares a file's bytes; "" is no file.
func (h *host) expect(name, want string) {
	h.Helper()
	b, err := os.ReadFile(h.path(name))
	if os.IsNotExist(err) {
		err = nil
	}
	if err != nil || string(b) != want {
		h.Fatalf("%s holds %q (%v), want %q", name, b, err, want)
	}
}

func (h *host) put(name, text string) {
	h.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o644); err != nil {
		h.Fatalf("%v", err)
	}
}

// noLeftovers fails if a hidden file of muster's is anywhere below the root.
func (h *host) noLeftovers() {
	h.Helper()
	if left := leftovers(h.root); len(left) > 0 {
		h.Fatalf("left over: %v", left)
	}
}

func leftovers(root string) []string {
	var left []string
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ".muster-") {
			left = append(left, path)
		}
		return err
	})
	return left
}

// status returns the status of one rule.
func (h *host) status(rule string) Status {
	h.Helper()
	for _, s := range h.r.Status() {
		if s.Rule == rule {
			return s
		}
	}
	h.Fatalf("no status of rule %s", rule)
	return Status{}
}

// matches fails unless the error's text matches the pattern.
func matches(t fataler, err error, pattern string) {
	t.Helper()
	if err == nil || !regexp.MustCompile(pattern).MatchString(err.Error()) {
		t.Fatalf("error %v, want one that matches %s", err, pattern)
	}
}

func (h *host) journalSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(h.root, "state", journalName))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
