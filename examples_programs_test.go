package muster_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A program is one of the example programs, or Serf's agent, as a process.
type program struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	lines []string // what it has printed
}

// launch starts a program, which is ended with the test.
func launch(t *testing.T, name string, argv ...string) *program {
	t.Helper()
	p := &program{t: t, name: name, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(p.ended)
		defer r.Close()
		for in := bufio.NewScanner(r); in.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, in.Text())
			p.mu.Unlock()
		}
		_ = p.cmd.Wait() // ProcessState says how it ended
	}()
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() { // nobody appends to them any more
			t.Logf("%s printed:\n%s", name, strings.Join(p.lines, "\n"))
		}
	})
	return p
}

// end sends a signal and waits for the end.
func (p *program) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		p.t.Errorf("%s did not end on %v", p.name, sig)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// wait waits for a line, from the one given on, and returns the number of the
// one after it.
func (p *program) wait(from int, pattern string) int {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		p.mu.Lock()
		lines := p.lines
		p.mu.Unlock()
		if i := slices.IndexFunc(lines[min(from, len(lines)):], re.MatchString); i >= 0 {
			return from + i + 1
		}
		select {
		case <-p.ended:
			p.t.Fatalf("%s has ended", p.name)
		default:
		}
	}
	p.t.Fatalf("%s has not printed %s", p.name, pattern)
	return 0
}

// buildExamples builds the programs in examples, each a module of its own.
func buildExamples(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, program := range []string{"node", "guardian"} {
		for _, args := range [][]string{{"vet", "./..."}, {"build", "-o", dir + "/", "./..."}} {
			cmd := exec.Command("go", args...)
			cmd.Dir = filepath.Join("examples", program)
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("go %s: %v (after a change of go.mod: cd examples/%s && go mod tidy)\n%s", strings.Join(args, " "), err, program, out)
			}
		}
	}
	return dir
}

// The programs in examples work with each other and with Serf's agent, and the
// agent's own commands with them.
func TestExamplePrograms(t *testing.T) {
	t.Parallel()
	serf, err := exec.LookPath("serf")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: it needs serf")
	}
	bin := buildExamples(t)
	addr := func(i int) string { return fmt.Sprintf("127.%d.250.%d", 10+os.Getpid()%200, i) }
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	node := func(i int, name string, args ...string) *program {
		return launch(t, name, append([]string{filepath.Join(bin, "node"), "-name", name, "-bind", addr(i),
			"-profile", "local", "-encrypt", key}, args...)...)
	}
	seeds := addr(1) + "," + addr(3)
	web1 := node(1, "web1", "-tags", "role=web,dc=eu")
	web2 := node(2, "web2", "-tags", "role=web", "-join", seeds)
	rpc := "-rpc-addr=" + addr(3) + ":7373"
	agent := launch(t, "serf1", serf, "agent", "-node", "serf1", "-bind", addr(3), rpc, "-profile", "local",
		"-encrypt", key, "-join", addr(1), "-tag", "role=web",
		"-event-handler", `query:seen=printf alive`, "-log-level", "debug")
	all := `view: serf1:alive\[role=web\] web1:alive\[dc=eu,role=web\] web2:alive\[role=web\]$`
	web1.wait(0, all)
	web2.wait(0, all)
	agent.wait(0, `joined: 1 nodes`)
	// shows asks again until Serf's command prints what it should: gossip takes
	// its time, and may lose a question.
	var run func(args ...string) string
	shows := func(pattern string, args ...string) {
		t.Helper()
		re := regexp.MustCompile(pattern)
		for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
			out := run(args...)
			if re.MatchString(out) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("serf %s:\n%s", strings.Join(args, " "), out)
			}
		}
	}
	run = func(args ...string) string {
		t.Helper()
		out, err := exec.Command(serf, append(args[:1:1], append([]string{rpc}, args[1:]...)...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("serf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	// Serf's command asks and tells; nodes answer and tag themselves.
	shows(`Response from 'web[12]': \d+\.\d+ `, "query", "load")
	web1.wait(0, `^serf1 asks load$`)
	run("event", "deploy", "v2")
	web1.wait(0, `^event: user deploy "v2"$`)
	web2.wait(0, `web1:alive\[dc=eu,role=web,version=v2\] web2:alive\[role=web,version=v2\]$`)
	shows(`(?s)alive.*alive`, "members", "-tag", "version=v2")

	// A guardian joins and changes the key; nobody is lost.
	guard := launch(t, "guard", filepath.Join(bin, "guardian"), "-name", "guard", "-bind", addr(4), "-profile", "local",
		"-encrypt", key, "-join", seeds, "-ask", "role=web", "-patience", "3s", "-rotate", "3s")
	guard.wait(0, `^keys: 1 known to 4 members$`)
	guard.wait(0, `^rotated: 1 key, used by 4 of 4 members$`)
	shows(`\[4/4\]`, "keys", "-list")
	if out := run("keys", "-list"); strings.Contains(out, key) {
		t.Errorf("serf keys -list:\n%s", out)
	}

	// A node dies: the guardian asks the others, Serf's handler included, and
	// all hear the verdict.
	web2.end(syscall.SIGKILL)
	web1.wait(0, `^web2 at .* does not answer$`)
	guard.wait(0, `^web1 says that web2 is failed$`)
	guard.wait(0, `^serf1 says that web2 is alive$`)
	guard.wait(0, `^verdict: web2 is disputed \(1 of 2 miss it\)$`)
	web1.wait(0, `^event: user guardian-verdict "web2 is disputed`)
	agent.wait(0, `guardian-verdict`)

	// They leave in good order.
	guard.end(syscall.SIGINT)
	if code := guard.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("guardian ended with %d", code)
	}
	web1.wait(0, `guard:left\[role=guardian\]`)
}
