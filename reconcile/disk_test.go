package reconcile

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/command"
)

// inNamespace runs the calling test again, in a mount namespace of its own:
// whatever is mounted there goes with it. It returns true there, and false,
// after the test ended there, in the caller.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "MUSTER_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		return true
	}
	unshare := []string{"unshare", "--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
		probe := command.Run(t.Context(), command.Command{Argv: append(unshare[:len(unshare):len(unshare)], "true"), Env: command.BaseEnv(nil)})
		if !probe.OK() {
			t.Skipf("NOT TESTED: mounting needs root, or a system that lets users have namespaces (%v)", probe)
		}
	}
	self, err := os.Executable()
	must(t, err)
	res := command.Run(t.Context(), command.Command{
		Argv:    append(unshare, self, "-test.run", "^"+t.Name()+"$", "-test.v"),
		Env:     append(os.Environ(), mark+"=1"),
		Timeout: 5 * time.Minute,
	})
	if !res.OK() || !strings.Contains(string(res.Output), "PASS: "+t.Name()) {
		t.Errorf("%s\n%s", res.Verdict(), res.Output)
	}
	return false
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("cannot mount %s: %v", target, err)
	}
	if flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() { must(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
	}
}

func TestFullDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t, t.TempDir())
	mount(t, "none", h.etc, "tmpfs", 0, "size=256k")
	h.open()
	defer func() { h.r.Close() }()
	before := strings.Repeat("o", 100<<10)
	h.converge(h.unit("web", h.file("a.conf", before), h.file("b.conf", "1")), InSync)
	h.commands()
	u := h.unit("web", h.file("a.conf", strings.Repeat("n", 200<<10)), h.file("b.conf", "2"))
	out := h.converge(u, Failed)
	matches(t, out.Err, `^cannot write .*/a\.conf: the disk is full: no space left on device$`)
	h.expect("a.conf", before)
	h.expect("b.conf", "1")
	h.noLeftovers()
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v", ran)
	}
	mount(t, "none", h.etc, "tmpfs", syscall.MS_REMOUNT, "size=1m")
	h.clock = out.Retry
	h.converge(u, InSync)
}

func TestFullStateDir(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t, t.TempDir())
	state := filepath.Join(h.root, "state")
	must(t, os.Mkdir(state, 0o700))
	mount(t, "none", state, "tmpfs", 0, "size=64k")
	h.open()
	defer func() { h.r.Close() }()
	h.converge(h.unit("web", h.file("a.conf", "old")), InSync)
	h.commands()
	ballast := filepath.Join(state, "ballast")
	f, err := os.Create(ballast)
	must(t, err)
	for chunk := []byte("x"); err == nil; {
		_, err = f.Write(chunk)
	}
	f.Close()
	u := h.unit("web", h.file("a.conf", strings.Repeat("new", 1000)))
	// what the last page of the journal still takes is no failure
	var out Outcome
	for i := range 100 {
		u.Files[0].Bytes = []byte(strings.Repeat("new", i))
		if out = h.r.Converge(t.Context(), []Unit{u})[0]; out.State != InSync {
			break
		}
		h.commands()
	}
	matches(t, out.Err, `^cannot write the journal: .*no space left on device$`)
	if ran := h.commands(); len(ran) > 0 || h.loaded[h.path("a.conf")] != h.all()[h.path("a.conf")] {
		t.Errorf("ran %v; on disk %q, loaded %q", ran, h.all(), h.loaded)
	}
	h.noLeftovers()
	must(t, os.Remove(ballast))
	h.clock = out.Retry
	h.converge(u, InSync)
	h.restart()
	h.commands()
	h.converge(u, InSync)
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v", ran)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t, t.TempDir())
	mount(t, "none", h.etc, "tmpfs", 0, "")
	remount := func(flags uintptr) { mount(t, "none", h.etc, "tmpfs", syscall.MS_REMOUNT|flags, "") }
	h.open()
	defer func() { h.r.Close() }()
	h.converge(h.unit("web", h.file("a.conf", "old")), InSync)
	remount(syscall.MS_RDONLY)
	u := h.unit("web", h.file("a.conf", "new"))
	out := h.converge(u, Failed)
	matches(t, out.Err, `^cannot write .*/a\.conf: it is mounted read-only: remount it, or name it in the service's ReadWritePaths=: read-only file system$`)
	h.expect("a.conf", "old")
	remount(0)
	h.clock = out.Retry
	h.converge(u, InSync)

	// the disk turns read-only when the bad file is in place
	h.hook = func(step, what string) error {
		if step == "undo" {
			remount(syscall.MS_RDONLY)
		}
		return nil
	}
	h.commands()
	out = h.converge(h.unit("web", h.file("a.conf", "bad")), Failed)
	matches(t, out.Err, `(?s)bad.*cannot put .*/a\.conf back: read-only file system`)
	h.expect("a.conf", "bad")
	h.hook = nil
	// another service is none the worse, one with the same reload waits
	other := h.unit("other", h.file("b.conf", "fine"))
	matches(t, h.converge(other, Failed).Err, `a failed change of rule web is still in place`)
	h.restart()
	matches(t, h.converge(u, Failed).Err, `a failed change of rule web is still in place: cannot put .*back: read-only`)
	for _, word := range h.commands() {
		if word == "reload" {
			t.Error("the service was reloaded with a bad file")
		}
	}
	remount(0)
	h.converge(other, InSync)
	h.expect("a.conf", "new")
	h.converge(u, InSync)
	h.noLeftovers()
}

// A file that is a mount point cannot be renamed over: it is overwritten, and
// everything else holds all the same.
func TestMountedFile(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t, t.TempDir())
	real := filepath.Join(h.root, "outside")
	must(t, os.WriteFile(real, []byte("one, and longer than the others"), 0o640))
	h.put("hosts", "")
	mount(t, real, h.path("hosts"), "", syscall.MS_BIND, "")
	h.open()
	defer func() { h.r.Close() }()
	with := func(text string) Unit { return h.unit("web", h.file("hosts", text), h.file("other", text)) }
	expect := func(text string) {
		t.Helper()
		h.expect("hosts", text)
		if b, err := os.ReadFile(real); err != nil || string(b) != text {
			t.Errorf("the file itself holds %q, %v", b, err)
		}
	}
	h.converge(with("two"), InSync)
	expect("two")
	if got := h.mode("hosts"); got != "0640" {
		t.Errorf("mode %s", got)
	}
	h.converge(with("bad"), Failed)
	expect("two")
	h.converge(with("unloadable"), Failed)
	expect("two")
	h.noLeftovers()

	for at, text := 0, "two"; ; at++ { // killed at every step
		n, killed := at, false
		h.hook = func(step, what string) error {
			if n--; n < 0 || killed {
				killed = true
				runtime.Goexit()
			}
			return nil
		}
		next := strings.Repeat("x", at+1)
		h.approved[next] = true
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.r.Converge(t.Context(), []Unit{with(next)})
		}()
		<-done
		h.hook = nil
		if !killed {
			if at < 12 {
				t.Errorf("only %d steps", at)
			}
			break
		}
		h.r.release()
		h.open()
		if got := h.all()[h.path("hosts")]; got != text && got != next {
			t.Errorf("killed at step %d: %q is left, not %q or %q", at, got, text, next)
		}
		h.converge(with(next), InSync)
		expect(next)
		text = next
		h.noLeftovers()
	}
}
