package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"muster/command"
)

// A reload that is not verified has failed: the old files come back and are
// loaded, and verified.
func TestVerify(t *testing.T) {
	for _, watch := range []bool{false, true} {
		h := testHost(t)
		verified := func() error {
			for path, text := range h.all() {
				if strings.Contains(text, "unverifiable") {
					return fmt.Errorf("%s is not in force", path)
				}
			}
			return nil
		}
		h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
			if c.Argv[0] != "verify" {
				return h.command(ctx, c)
			}
			h.ran = append(h.ran, "verify")
			if err := verified(); err != nil {
				return command.Result{ExitCode: 3, Output: []byte(err.Error())}
			}
			return command.Result{}
		}
		verify := &Verify{Command: &command.Command{Argv: []string{"verify"}}}
		if watch {
			verify = &Verify{Name: "that it works", Watch: func() func(context.Context) error {
				h.ran = append(h.ran, "watch")
				return func(context.Context) error {
					h.ran = append(h.ran, "verify")
					return verified()
				}
			}}
		}
		units := func(web, other string) []Unit {
			u, o := h.unit("web", h.file("a.conf", web)), h.unit("other", h.file("b.conf", other))
			u.Verify = verify // that other says nothing of it does not make its reload better
			return []Unit{u, o}
		}
		got := states(h.r.Converge(t.Context(), units("one", "one")))
		if diff := cmp.Diff([]State{InSync, InSync}, got); diff != "" {
			t.Error(diff)
		}
		want := "check reload verify"
		if watch {
			want = "check watch reload verify"
		}
		if ran := strings.Join(h.commands(), " "); ran != want {
			t.Errorf("ran %s, want %s", ran, want)
		}
		outs := h.r.Converge(t.Context(), units("unverifiable", "two"))
		if diff := cmp.Diff([]State{Failed, InSync}, states(outs)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := outs[0].Err; err == nil || !strings.Contains(err.Error(), "reload reload: it succeeded, but the service did not take the files in: verify ") {
			t.Errorf("error %v", err)
		}
		h.expect("a.conf", "one")
		h.expect("b.conf", "two")
		if h.loaded[h.path("a.conf")] != "one" {
			t.Errorf("loaded %v", h.loaded)
		}
		if s := h.status("web"); s.Verify == nil || s.Verify.OK || !s.Reload.OK {
			t.Errorf("status %+v %+v", s.Reload, s.Verify)
		}
	}
}

// The workers of a real process.
func TestWorkers(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	for text, want := range map[string]string{"": "holds no process id", "1\n": "holds no process id", "x": "holds no process id", "4194304999": "does not run"} {
		must(t, os.WriteFile(pidFile, []byte(text), 0o644))
		if err := Workers(pidFile, time.Second).Watch()(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, not := range []string{"/dev/zero", filepath.Join(dir, "pipe")} {
		if not != "/dev/zero" {
			must(t, unix.Mkfifo(not, 0o644))
		}
		if err := Workers(not, time.Second).Watch()(t.Context()); err == nil || !strings.Contains(err.Error(), "not a file") {
			t.Errorf("%s: %v", not, err)
		}
	}
	if err := Workers(filepath.Join(dir, "none"), time.Second).Watch()(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file or directory: name the service's own pid file, as pid_file") {
		t.Error("no pid file, and no error")
	}

	// A master that starts another worker whenever it reads a line.
	master := exec.Command("sh", "-c", `sleep 60 & all=$!; while read line; do sleep 60 & all="$all $!"; done; kill $all; wait`)
	in, err := master.StdinPipe()
	must(t, err)
	must(t, master.Start())
	defer func() {
		must(t, in.Close())
		must(t, master.Wait())
	}()
	must(t, os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n", master.Process.Pid), 0o644))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if now, err := workersOf(pidFile); err == nil && len(now) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no worker")
		}
	}
	after := Workers(pidFile, 20*time.Millisecond).Watch()
	if err := after(t.Context()); err == nil || !strings.Contains(err.Error(), "its workers are still those from before") {
		t.Errorf("without a new worker: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Workers(pidFile, time.Minute).Watch()(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: %v", err)
	}
	after = Workers(pidFile, time.Minute).Watch()
	if _, err := fmt.Fprintln(in); err != nil {
		t.Fatal(err)
	}
	if err := after(t.Context()); err != nil {
		t.Errorf("with a new worker: %v", err)
	}
}
