package reconcile

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/command"
)

// The scripts that stand for a service's own check and reload: each logs, in
// one line, what it sees, as "a.conf=… b.conf=… c.conf=…".
const (
	// one process, without helpers: what is killed is all of it
	seeScript = `s=; for f in "$1"/etc/*.conf; do read -r v <"$f"; s="$s ${f##*/}=$v"; done; echo "$s" >>"$1/$2"`
	noBad     = `; case "$s" in *bad*) exit 1;; esac`
)

// helper is another process of these tests: one pass over the host at
// MUSTER_TEST_ROOT with real commands. It exits with 0 if all is in sync.
func helper(text string) int {
	root := os.Getenv("MUSTER_TEST_ROOT")
	sh := func(script, log string) command.Command {
		return command.Command{Argv: []string{"/bin/sh", "-c", script, "sh", root, log}, Env: command.BaseEnv(nil), Timeout: time.Minute}
	}
	mode := fs.FileMode(0o640)
	file := func(name string) File {
		return File{Path: filepath.Join(root, "etc", name), Bytes: []byte(text), Mode: &mode}
	}
	reload := sh(seeScript, "reloads")
	u := Unit{Rule: "web", Static: true, Reload: &reload, OnOrphan: OrphanRemove,
		Check: &Check{Mode: CheckSwap, Command: func(Standing) (command.Command, error) {
			return sh(seeScript+noBad, "checks"), nil
		}}}
	if text == "old" {
		u.Files = []File{file("a.conf"), file("c.conf")}
	} else {
		u.Files = []File{file("a.conf"), file("b.conf")}
	}
	time.AfterFunc(2*time.Minute, func() {
		debug.SetTraceback("all")
		panic("hangs")
	})
	r, err := Open(Config{StateDir: filepath.Join(root, "state"), Logger: slog.New(slog.DiscardHandler), OrphanAfter: -1})
	if err != nil {
		fmt.Println(err)
		return 2
	}
	out := r.Converge(context.Background(), []Unit{u})[0]
	if err := r.Close(); err != nil || out.State != InSync {
		fmt.Println(out.State, out.Err, err)
		return 1
	}
	return 0
}

// An old or the new set, then, of what a reader may see of each file: there is
// no b.conf in the old set, and no c.conf in the new one.
var seen = map[string][]string{"a.conf": {"old", "new"}, "b.conf": {"", "new"}, "c.conf": {"old", ""}}

// The process is killed at every system call that changes the disk or starts a
// program, one after the other, in the course of one change of three files. The
// tracer counts each thread's calls: those of the managed directory and the
// journal alone, and all of them, the commands' too.
func TestKilledAtEverySystemCall(t *testing.T) {
	calls := []string{"openat", "write", "fsync", "fchmod", "fchownat", "linkat", "renameat", "renameat2",
		"unlinkat", "ftruncate", "execve", "clone", "clone3", "close", "flock"}
	var kills, changed, hidden int
	for _, everywhere := range []bool{false, true} {
		for _, call := range calls {
			for when, survived := 1, 0; survived < 2 && when < 80; when++ {
				h := &crashHost{T: t, root: t.TempDir()}
				h.prepare()
				argv := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call,
					"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when)}
				if !everywhere {
					argv = append(argv, "-P", filepath.Join(h.root, "etc"), "-P", filepath.Join(h.root, "state/journal"))
				}
				where := fmt.Sprintf("%s %d", call, when)
				if h.apply("new", argv...) {
					survived++
				} else {
					kills++
					if h.text("a.conf") == "new" {
						changed++
					}
					if len(leftovers(h.root)) > 0 {
						hidden++
					}
				}
				h.invariants(where)
				for try := 0; !h.apply("new"); try++ {
					if try == 3 {
						t.Fatalf("%s: it does not recover", where)
					}
				}
				h.invariants(where)
				h.done(where)
				if t.Failed() {
					return
				}
				must(t, os.RemoveAll(h.root))
			}
		}
	}
	t.Logf("%d kills; %d left new files in place, %d left hidden ones", kills, changed, hidden)
	if kills < 60 || changed < 10 || hidden < 20 {
		t.Errorf("of %d kills %d left new files in place and %d hidden ones: that proves little", kills, changed, hidden)
	}
}

// The same at every step that the package itself knows, without a process.
func TestKilledAtEveryStep(t *testing.T) {
	for _, staged := range []bool{false, true} {
		for at := 0; ; at++ {
			h := newHost(t, t.TempDir())
			h.open()
			with := func(files ...File) Unit {
				u := h.unit("web", files...)
				u.OnOrphan = OrphanRemove
				if staged {
					u = u.withStagedCheck()
				}
				return u
			}
			h.converge(with(h.file("a.conf", "old"), h.file("c.conf", "old")), InSync)
			next := with(h.file("a.conf", "new"), h.file("b.conf", "new"))
			killed, last := h.kill(next, at)
			for name, may := range seen {
				if text := h.all()[h.path(name)]; !slices.Contains(may, text) {
					t.Errorf("killed after step %d, %s: %s holds %q", at, last, name, text)
				}
			}
			if !killed {
				if at < 15 {
					t.Errorf("only %d steps", at)
				}
				break
			}
			h.open()
			a, b, c := h.all()[h.path("a.conf")], h.all()[h.path("b.conf")], h.all()[h.path("c.conf")]
			if set := a + b + c; set != "oldold" && set != "newnew" {
				t.Errorf("killed after step %d, %s: a.conf %q, b.conf %q, c.conf %q are left", at, last, a, b, c)
			}
			h.converge(next, InSync)
			if h.loaded[h.path("a.conf")] != "new" || len(h.violations) > 0 {
				t.Errorf("killed after step %d, %s: the service has %v; %v", at, last, h.loaded, h.violations)
			}
			h.noLeftovers()
			must(t, h.r.Close())
		}
	}
}

// kill makes a pass that ends after so many steps, the way kill -9 ends it, and
// reports whether there were as many, and the last of them. Nothing is open
// after it.
func (h *host) kill(u Unit, steps int) (killed bool, last string) {
	h.Helper()
	h.hook = func(step, _ string) error {
		if steps--; steps < 0 || killed {
			killed = true
			runtime.Goexit()
		}
		last = step
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.r.Converge(context.Background(), []Unit{u})
	}()
	<-done
	h.hook = nil
	h.r.journal.file.Close()
	h.r.release()
	return killed, last
}

// A crashHost is a host that other processes converge.
type crashHost struct {
	*testing.T
	root string
}

// prepare brings the host to the old set.
func (h *crashHost) prepare() {
	h.Helper()
	must(h, os.Mkdir(filepath.Join(h.root, "etc"), 0o755))
	if !h.apply("old") {
		h.Fatal("cannot apply the old set")
	}
	if os.Geteuid() == 0 {
		must(h, os.Chown(filepath.Join(h.root, "etc/a.conf"), 1, 1))
	}
}

// apply runs the helper under a tracer, or as it is, and reports whether it
// ended well.
func (h *crashHost) apply(text string, tracer ...string) bool {
	h.Helper()
	self, err := os.Executable()
	must(h, err)
	env := []string{"MUSTER_TEST_HELPER=" + text, "MUSTER_TEST_ROOT=" + h.root, "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}
	res := command.Run(h.Context(), command.Command{Argv: append(slices.Clone(tracer), self), Env: env, Timeout: time.Minute})
	if res.Err != nil || res.TimedOut || strings.Contains(string(res.Output), "panic: hangs") {
		h.Fatalf("%v: %s\n%s", tracer, res.Verdict(), res.Output)
	}
	return res.OK()
}

func (h *crashHost) text(name string) string {
	b, err := os.ReadFile(filepath.Join(h.root, "etc", name))
	if err != nil && !os.IsNotExist(err) {
		h.Fatal(err)
	}
	return string(b)
}

func (h *crashHost) invariants(where string) {
	h.Helper()
	for name, may := range seen {
		text := h.text(name)
		if !slices.Contains(may, text) {
			h.Errorf("%s: %s holds %q", where, name, text)
		}
		if text == "" {
			continue
		}
		st := stat(h, filepath.Join(h.root, "etc", name))
		owner := uint32(os.Geteuid())
		if name == "a.conf" && os.Geteuid() == 0 {
			owner = 1
		}
		if st.Mode&0o7777 != 0o640 || st.Uid != owner {
			h.Errorf("%s: %s belongs to %d and is %o", where, name, st.Uid, st.Mode&0o7777)
		}
	}
	checks := h.log("checks")
	for _, line := range h.log("reloads") {
		if !slices.Contains(checks, line) {
			h.Errorf("%s: reloaded with %q, checked were %q", where, line, checks)
		}
	}
}

func (h *crashHost) log(name string) []string {
	b, err := os.ReadFile(filepath.Join(h.root, name))
	if err != nil && !os.IsNotExist(err) {
		h.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// done expects the new set on disk and in the service, and nothing else.
func (h *crashHost) done(where string) {
	h.Helper()
	const want = "a.conf=new b.conf=new"
	reloads := h.log("reloads")
	if last := strings.TrimSpace(reloads[len(reloads)-1]); last != want {
		h.Errorf("%s: the service has %q", where, last)
	}
	for name, may := range seen {
		if text := h.text(name); text != may[1] {
			h.Errorf("%s: in the end %s holds %q", where, name, text)
		}
	}
	if left := leftovers(h.root); len(left) > 0 {
		h.Errorf("%s: left over: %v", where, left)
	}
}

// One sync for each new file, one for each directory, one for the journal: on a
// slow card each costs.
func TestSyncBudget(t *testing.T) {
	h := &crashHost{T: t, root: t.TempDir()}
	h.prepare()
	trace := filepath.Join(h.root, "trace")
	if !h.apply("new", "strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,sync,syncfs,sync_file_range") {
		t.Fatal("cannot apply")
	}
	var got []string
	for _, line := range h.log("trace") {
		if !strings.Contains(line, "sync(") {
			continue // a thread's end
		}
		_, path, _ := strings.Cut(line, "<")
		path, _, _ = strings.Cut(path, ">")
		name := strings.TrimPrefix(path, h.root)
		if at := strings.Index(name, ".muster-"); at >= 0 {
			name = name[:at]
		}
		got = append(got, name)
	}
	slices.Sort(got)
	if want := []string{"/etc", "/etc/.a.conf", "/etc/.b.conf", "/state/journal"}; !slices.Equal(got, want) {
		t.Errorf("synced %q, want %q", got, want)
	}
}
