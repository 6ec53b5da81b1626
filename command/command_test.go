package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long nothing here may take; far more than anything needs.
const hang = time.Minute

// started is the time-out of what is to be ended once it is under way, which on
// a busy machine takes its time.
const started = 2 * time.Second

// sh runs a shell script with timeout and fails the test when that hangs.
func sh(t *testing.T, timeout time.Duration, script string, args ...string) Result {
	t.Helper()
	return run(t, t.Context(), Command{
		Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...), Env: BaseEnv(nil), Timeout: timeout,
	})
}

func run(t *testing.T, ctx context.Context, c Command) Result {
	t.Helper()
	begin := time.Now()
	res := Run(ctx, c)
	if took := time.Since(begin); took > hang {
		t.Fatalf("%q hung for %v", c.Argv, took)
	}
	return res
}

// gone waits for the processes whose numbers are in file to end.
func gone(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(content))
	if len(pids) == 0 {
		t.Fatalf("no process wrote its number to %s", file)
	}
	for _, word := range pids {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(hang); alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("process %d outlived its command", pid)
				_ = syscall.Kill(pid, syscall.SIGKILL)
				break
			}
		}
	}
}

func number(t *testing.T, text []byte) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestResults(t *testing.T) {
	tests := []struct {
		script string
		want   Result
		ok     bool
		text   string
	}{
		{"true", Result{}, true, "exit status 0"},
		{"echo out; echo err >&2", Result{Output: []byte("out\nerr\n")}, true, "exit status 0: out | err"},
		{"echo no >&2; exit 3", Result{ExitCode: 3, Output: []byte("no\n")}, false, "exit status 3: no"},
		{"kill -SEGV $$", Result{ExitCode: -1, Signal: "SIGSEGV"}, false, "killed by SIGSEGV"},
		{"cat", Result{}, true, "exit status 0"},
		{`printf 'a\033[31m\000b\377c\342\200\256d'`, Result{Output: []byte("a\033[31m\x00b\xffc\u202ed")}, true,
			`exit status 0: a\x1b[31m\x00b\xffc\u202ed`},
	}
	for _, test := range tests {
		got := sh(t, hang, test.script)
		if got.Duration <= 0 {
			t.Errorf("%s: no duration", test.script)
		}
		got.Duration = 0
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.script, diff)
		}
		if got.OK() != test.ok || got.String() != test.text {
			t.Errorf("%s: OK %v, String %q; want %v, %q", test.script, got.OK(), got, test.ok, test.text)
		}
	}
}

func TestEnvironmentIsCompleteAsGiven(t *testing.T) {
	t.Setenv("MUSTER_SECRET", "leaks")
	res := run(t, t.Context(), Command{Argv: []string{"env"}, Env: []string{"PATH=/usr/bin:/bin", "A=1"}})
	if got := string(res.Output); got != "PATH=/usr/bin:/bin\nA=1\n" {
		t.Errorf("env printed %q (%v)", got, res)
	}
	if res := run(t, t.Context(), Command{Argv: []string{"/usr/bin/env"}}); len(res.Output) > 0 || !res.OK() {
		t.Errorf("an empty environment became %q (%v)", res.Output, res)
	}
}

func TestBaseEnv(t *testing.T) {
	t.Setenv("PATH", "/opt/x:.:relative:/bin")
	t.Setenv("HOME", "/home/u")
	t.Setenv("LANG", "")
	t.Setenv("SECRET", "x")
	want := []string{
		"EXTRA=1", "HOME=/home/u", "LANG=fr_FR.UTF-8",
		"PATH=/opt/x:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin",
	}
	if diff := cmp.Diff(want, BaseEnv(map[string]string{"EXTRA": "1", "LANG": "fr_FR.UTF-8"})); diff != "" {
		t.Error(diff)
	}
}

func TestStdin(t *testing.T) {
	payload := strings.Repeat("line\n", 100_000)
	c := Command{Argv: []string{"wc", "-c"}, Env: BaseEnv(nil), Stdin: []byte(payload)}
	if got := strings.TrimSpace(string(run(t, t.Context(), c).Output)); got != strconv.Itoa(len(payload)) {
		t.Errorf("wc counted %s bytes of %d", got, len(payload))
	}
	c.Argv = []string{"true"} // reads nothing
	if res := run(t, t.Context(), c); !res.OK() {
		t.Error(res)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	res := sh(t, hang, "echo begin; head -c 300000000 /dev/zero; echo; echo the end")
	if !res.OK() || len(res.Output) > MaxOutput {
		t.Fatalf("%d bytes kept, %v", len(res.Output), res.Verdict())
	}
	if !bytes.HasPrefix(res.Output, []byte("begin\n")) || !bytes.HasSuffix(res.Output, []byte("\nthe end\n")) {
		t.Errorf("head or tail lost: %.20q … %q", res.Output, res.Output[len(res.Output)-20:])
	}
	marker := fmt.Sprintf("[… %d bytes left out …]", res.Dropped)
	if !bytes.Contains(res.Output, []byte(marker)) {
		t.Errorf("no %q in the output", marker)
	}
	if kept := int64(len(res.Output) - len(marker) - 2); kept+res.Dropped != 300000000+int64(len("begin\n\nthe end\n")) {
		t.Errorf("kept %d and dropped %d", kept, res.Dropped)
	}
}

func TestFloodUntilTimeout(t *testing.T) {
	t.Parallel()
	res := sh(t, started, "trap '' TERM PIPE; while :; do echo flood; done")
	if !res.TimedOut || res.Signal != "SIGKILL" || len(res.Output) > MaxOutput || res.Dropped == 0 {
		t.Errorf("%+v", res.Verdict())
	}
}

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	// grandchildren, all deaf to TERM; the last one lets go of the pipe
	script := `trap '' TERM; echo $$ >>"$1"
		(trap '' TERM; sh -c 'echo $$ >>"$0"; while :; do sleep 1; done' "$1") &
		sh -c 'trap "" TERM; echo $$ >>"$0"; while :; do sleep 1; done' "$1" >/dev/null 2>&1 &
		while :; do sleep 1; done`
	res := sh(t, started, script, pids)
	if !res.TimedOut || res.OK() || res.Signal != "SIGKILL" {
		t.Errorf("got %+v", res)
	}
	gone(t, pids)
}

func TestTimeoutIsPoliteFirst(t *testing.T) {
	t.Parallel()
	res := sh(t, started, "trap 'echo bye; exit 7' TERM; while :; do sleep 0.01; done")
	if !res.TimedOut || res.ExitCode != 7 || !bytes.HasSuffix(res.Output, []byte("bye\n")) || res.OK() {
		t.Errorf("got %+v", res)
	}
	if !strings.HasPrefix(res.String(), "timed out after ") || !strings.HasSuffix(res.String(), " bye") {
		t.Errorf("got %q", res)
	}
}

func TestStoppedProcessIsEnded(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	if res := sh(t, started, `echo $$ >"$1"; kill -STOP $$`, pids); !res.TimedOut {
		t.Errorf("got %+v", res)
	}
	gone(t, pids)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	res := run(t, ctx, Command{Argv: []string{"sleep", "1000"}, Env: BaseEnv(nil), Timeout: time.Hour})
	if !errors.Is(res.Err, context.Canceled) || res.OK() || res.TimedOut {
		t.Errorf("got %+v", res)
	}
	res = run(t, ctx, Command{Argv: []string{"true"}, Env: BaseEnv(nil)})
	if !errors.Is(res.Err, context.Canceled) {
		t.Errorf("a command started after the end of its context: %+v", res)
	}
}

func TestChildThatHoldsThePipe(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	res := sh(t, time.Hour, `sh -c 'trap "" TERM; echo $$ >>"$0"; while :; do sleep 1; done' "$1" & echo done
		while ! [ -s "$1" ]; do sleep 0.01; done`, pids)
	if !res.OK() || string(res.Output) != "done\n" {
		t.Errorf("got %+v", res)
	}
	gone(t, pids)
}

func TestChildThatIsSlowToFinishIsHeard(t *testing.T) {
	t.Parallel()
	res := sh(t, time.Hour, `(sleep 0.01; echo late) & echo early`)
	if !res.OK() || string(res.Output) != "early\nlate\n" {
		t.Errorf("got %+v", res)
	}
}

func TestDaemonIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, redirect := range map[string]string{"quiet": ">/dev/null 2>&1", "holding the pipe": ""} {
		pids := filepath.Join(t.TempDir(), "pids")
		res := sh(t, time.Hour, `setsid sh -c 'echo $$ >"$0"; exec sleep 1000' "$1" `+redirect+` &
			while ! [ -s "$1" ]; do sleep 0.01; done`, pids)
		if !res.OK() {
			t.Errorf("%s: got %+v", name, res)
		}
		content, _ := os.ReadFile(pids)
		pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err != nil || !alive(pid) {
			t.Fatalf("%s: the daemon did not survive (%v)", name, err)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		gone(t, pids)
	}
}

func TestOutputPipeBlocks(t *testing.T) {
	res := sh(t, hang, `grep flags /proc/self/fdinfo/2`)
	var flags int
	if _, err := fmt.Sscanf(string(res.Output), "flags: %o", &flags); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("a program's output is %q, %v; it would lose what it writes fast", res.Output, err)
	}
}

func TestNoDescriptorIsInherited(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := descriptors(t)
	res := sh(t, hang, `ls /proc/$$/fd`)
	if got := strings.Fields(string(res.Output)); !cmp.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("the program has descriptors %v", got)
	}
	for range 20 {
		sh(t, hang, "echo x; exit 1")
		run(t, t.Context(), Command{Argv: []string{"/nonexistent"}})
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A directory in PATH that cannot be looked into is passed over.
func TestPathWithAClosedDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		return // nothing is closed to root
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	res := Run(t.Context(), Command{Argv: []string{"no-such-program"}, Env: []string{"PATH=" + closed}})
	if res.Err == nil || !strings.Contains(res.Err.Error(), "not found in PATH") {
		t.Errorf("got %v", res.Err)
	}
}

// A command with a session of its own has no terminal to be stopped by, and is
// ended like any other, with its children.
func TestSession(t *testing.T) {
	const script = `read -r pid _ _ _ pgrp sid tty _ </proc/$$/stat; echo "$((pid == pgrp && pid == sid)) $tty"; sleep 300 & wait`
	res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", script}, Env: BaseEnv(nil), Timeout: started, Session: true})
	if got := string(res.Output); got != "1 0\n" || !res.TimedOut {
		t.Errorf("leader and terminal %q, %s", got, res.Verdict())
	}
}
