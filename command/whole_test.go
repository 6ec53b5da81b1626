package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStdoutApart(t *testing.T) {
	script := "echo out; echo err >&2; echo more"
	c := Command{Argv: []string{"/bin/sh", "-c", script}, Env: BaseEnv(nil), KeepStdout: 6}
	res := run(t, t.Context(), c)
	if diff := cmp.Diff("out\nmo", string(res.Stdout)); diff != "" || res.StdoutDropped != 3 {
		t.Errorf("%d bytes dropped, %s", res.StdoutDropped, diff)
	}
	for _, line := range []string{"out\n", "err\n", "more\n"} {
		if !strings.Contains(string(res.Output), line) {
			t.Errorf("no %q in %q", line, res.Output)
		}
	}
	if len(res.Output) != len("out\nerr\nmore\n") {
		t.Errorf("output %q", res.Output)
	}
	c.KeepStdout = 0
	if res := run(t, t.Context(), c); len(res.Stdout) > 0 || string(res.Output) != "out\nerr\nmore\n" {
		t.Errorf("not asked for: %q, %q", res.Stdout, res.Output)
	}
}

func TestStdoutIsBounded(t *testing.T) {
	t.Parallel()
	res := run(t, t.Context(), Command{Argv: []string{"head", "-c", "300000000", "/dev/zero"}, Env: BaseEnv(nil), Timeout: hang, KeepStdout: 1 << 16})
	if len(res.Stdout) != 1<<16 || res.StdoutDropped != 300000000-1<<16 || len(res.Output) > MaxOutput {
		t.Errorf("%d bytes kept, %d dropped, %d of output", len(res.Stdout), res.StdoutDropped, len(res.Output))
	}
}

func TestLastOfTheOutput(t *testing.T) {
	res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", "head -c 9000 /dev/zero; echo the end >&2"}, Env: BaseEnv(nil), Last: true})
	if want := strings.Repeat("\x00", MaxOutput-8) + "the end\n"; string(res.Output) != want || res.Dropped != 9008-MaxOutput {
		t.Errorf("%d bytes, %d dropped, end %q", len(res.Output), res.Dropped, res.Output[max(0, len(res.Output)-10):])
	}
	res = run(t, t.Context(), Command{Argv: []string{"echo", "short"}, Env: BaseEnv(nil), Last: true})
	if string(res.Output) != "short\n" || res.Dropped != 0 {
		t.Errorf("%q", res.Output)
	}
}

// Nothing survives a timeout, also what left the process group and, where
// there are cgroups, what left its parents.
func TestWholeIsStopped(t *testing.T) {
	t.Parallel()
	deaf := `sh -c 'trap "" TERM; echo $$ >>"$0"; while :; do sleep 1; done' "$1"`
	scripts := map[string]string{
		"a session of its own": `setsid ` + deaf + ` >/dev/null 2>&1 & wait`,
		"holding the pipe":     `trap '' TERM; setsid ` + deaf + ` & while :; do sleep 1; done`,
	}
	if g := newCgroup(time.Now()); g != nil {
		g.close()
		scripts["forked twice"] = `(setsid ` + deaf + ` >/dev/null 2>&1 &) ; while :; do sleep 1; done`
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pids")
			res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", script, "sh", pids}, Env: BaseEnv(nil), Timeout: started, Whole: true})
			if !res.TimedOut {
				t.Errorf("got %+v", res)
			}
			gone(t, pids)
		})
	}
}

// A command that is done may leave a daemon behind, also as a whole.
func TestWholeThatIsDoneIsLeftAlone(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script := `setsid sh -c 'echo $$ >"$0"; exec sleep 1000' "$1" >/dev/null 2>&1 & while ! [ -s "$1" ]; do sleep 0.01; done`
	res := run(t, t.Context(), Command{Argv: []string{"/bin/sh", "-c", script, "sh", pids}, Env: BaseEnv(nil), Whole: true})
	if !res.OK() {
		t.Errorf("got %+v", res)
	}
	var f family
	content, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid := number(t, content)
	if !alive(pid) {
		t.Error("the daemon did not survive")
	}
	_, start, _ := procStat("/proc/" + strings.TrimSpace(string(content)) + "/stat")
	f = family{pid: start + "0"}
	f.signal(9)
	if !alive(pid) {
		t.Error("a signal for a process that had the same number hit another")
	}
	f = family{pid: start}
	f.signal(9)
	gone(t, pids)
}

// Cgroups are removed with what was in them, and those left over later.
func TestCgroupsAreRemoved(t *testing.T) {
	g := newCgroup(time.Now())
	if g == nil {
		if os.Geteuid() == 0 {
			t.Log("root may make no cgroup here")
		}
		return
	}
	parent := filepath.Dir(g.path)
	g.dir.Close() // as if this process had been killed
	later := newCgroup(time.Now().Add(2 * cgroupStale))
	if _, err := os.Stat(g.path); !os.IsNotExist(err) {
		t.Errorf("left over: %v", err)
	}
	later.close()
	if _, err := os.Stat(later.path); !os.IsNotExist(err) || filepath.Dir(later.path) != parent {
		t.Errorf("closed: %v", err)
	}
}

func TestLinger(t *testing.T) {
	t.Parallel()
	c := Command{Argv: []string{"/bin/sh", "-c", "(sleep 1.5; echo late) & echo early"}, Env: BaseEnv(nil), Linger: time.Hour}
	if res := run(t, t.Context(), c); !res.OK() || string(res.Output) != "early\nlate\n" {
		t.Errorf("got %+v", res)
	}
	c.Argv[2] = "sleep 1000 & echo early"
	c.Timeout = started
	if res := run(t, t.Context(), c); string(res.Output) != "early\n" {
		t.Errorf("got %+v", res)
	}
}
