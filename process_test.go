package muster_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// processes are what a script started.
type processes struct {
	t      testing.TB
	work   string
	all    []*process
	atEnd  []func()
	number int
}

type processesKey struct{}

// A process was started by a script. It leads a process group of its own.
type process struct {
	name string
	log  string // file
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func newProcesses(env *testscript.Env) *processes {
	return &processes{t: env.T().(testing.TB), work: env.WorkDir}
}

func processesOf(ts *testscript.TestScript) *processes {
	return ts.Value(processesKey{}).(*processes)
}

// find returns the latest process of a name.
func (ps *processes) find(name string) *process {
	for i := len(ps.all) - 1; i >= 0; i-- {
		if ps.all[i].name == name {
			return ps.all[i]
		}
	}
	return nil
}

func findProcess(ts *testscript.TestScript, name string) *process {
	p := processesOf(ts).find(name)
	if p == nil {
		ts.Fatalf("no process %q was started", name)
	}
	return p
}

// start starts argv as a process called name, with the script's environment.
func start(ts *testscript.TestScript, name string, argv []string) *process {
	return startIn(ts, name, 0, argv)
}

// startIn starts it in new namespaces, CLONE_NEW….
func startIn(ts *testscript.TestScript, name string, namespaces uintptr, argv []string) *process {
	ps := processesOf(ts)
	p := &process{name: name, log: ts.MkAbs(name + ".log"), done: make(chan struct{})}
	if before := ps.find(name); before != nil {
		if !before.ended() {
			ts.Fatalf("process %q is still running", name)
		}
		ps.number++
		before.log = fmt.Sprintf("%s.%d", p.log, ps.number)
		ts.Check(os.Rename(p.log, before.log))
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	ts.Check(err)
	defer log.Close()
	p.cmd = newCommand(ts, argv)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if argv[0] == "muster" { // its log is what it says on standard error
		out, err := os.Create(ts.MkAbs(name + ".out"))
		ts.Check(err)
		defer out.Close()
		p.cmd.Stdout = out
	}
	// Should this process be killed, its children are told to stop.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Cloneflags: namespaces}
	ts.Check(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // ProcessState says how it ended
		close(p.done)
	}()
	ps.all = append(ps.all, p)
	return p
}

// newCommand makes a command of argv with the script's directory and
// environment. That there is no such program is an error of the script.
func newCommand(ts *testscript.TestScript, argv []string) *exec.Cmd {
	program := argv[0]
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, argv[0])); err == nil && !strings.Contains(argv[0], "/") {
			program = path
			break
		}
	}
	cmd := exec.Command(program, argv[1:]...)
	if cmd.Err != nil {
		ts.Fatalf("%v", cmd.Err)
	}
	cmd.Dir = ts.MkAbs(".")
	for _, name := range exported {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// exported are the variables that processes are started with.
var exported = []string{"PATH", "HOME", "TMPDIR", "WORK", "TZ", "GORACE", "MUSTER_SOCKET", "SERF_RPC_ADDR", "SERF_RPC_AUTH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) wait(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// startCommand is `start NAME PROGRAM ARG...`.
func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: start NAME PROGRAM ARG...")
	}
	start(ts, args[0], args[1:])
}

// agentCommand is `agent NAME ADDR [FLAG...]`.
func agentCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: agent NAME ADDR [FLAG...]")
	}
	name, socket := args[0], ts.MkAbs(args[0]+".sock")
	argv := append([]string{"muster", "agent", "--profile", "local", "--node", name, "--bind", args[1],
		"--rules", "no-rules", "--state", "state/" + name, "--socket", socket, "--rpc-addr", "off"}, args[2:]...)
	ts.Logf("# %s", strings.Join(argv, " "))
	p := start(ts, name, argv)
	for deadline := time.Now().Add(patience); !p.answers(socket); time.Sleep(20 * time.Millisecond) {
		if p.ended() || time.Now().After(deadline) {
			ts.Fatalf("agent %s does not answer:\n%s", name, tail(p.log))
		}
	}
}

// answers reports whether an agent listens to commands and to the gossip.
func (p *process) answers(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	conn.Close()
	log, _ := os.ReadFile(p.log) // what is not there yet will be asked for again
	return bytes.Contains(log, []byte("taking part in the cluster"))
}

// signalCommand is `signal SIGNAL NAME`.
func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: signal SIGNAL NAME")
	}
	number := unix.SignalNum("SIG" + args[0])
	if number == 0 {
		ts.Fatalf("no signal %q", args[0])
	}
	p := findProcess(ts, args[1])
	ts.Check(p.cmd.Process.Signal(number))
	if number == syscall.SIGKILL {
		<-p.done
	}
}

// endedCommand is `ended NAME [CODE|SIGNAL]`.
func endedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 || neg {
		ts.Fatalf("usage: ended NAME [CODE|SIGNAL]")
	}
	p := findProcess(ts, args[0])
	if !p.wait(patience) {
		ts.Fatalf("%s did not end within %v", args[0], patience)
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	got, want := strconv.Itoa(status.ExitStatus()), "0"
	if status.Signaled() {
		got = strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
	}
	if len(args) == 2 {
		want = args[1]
	}
	if got != want {
		ts.Fatalf("%s ended with %s instead of %s:\n%s", args[0], got, want, tail(p.log))
	}
}

// atEnd is `at-end PROGRAM ARG...`: it runs when the script's processes have
// ended, the last one given first. That it fails is no failure.
func atEnd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg {
		ts.Fatalf("usage: at-end PROGRAM ARG...")
	}
	ps := processesOf(ts)
	ps.atEnd = append(ps.atEnd, func() { _ = exec.Command(args[0], args[1:]...).Run() })
}

// stopLimit bounds how long a process may take to end on SIGTERM. That agents
// end in time is for their own tests to see.
const stopLimit = time.Minute

// end ends what the script started, and fails the test for what is left.
func (ps *processes) end() {
	for _, p := range ps.all {
		if !p.ended() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may end just now
		}
	}
	deadline := time.Now().Add(stopLimit)
	for _, p := range ps.all {
		if !p.wait(time.Until(deadline)) {
			ps.t.Errorf("%s did not end on SIGTERM:\n%s", p.name, tail(p.log))
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
	}
	strays := ps.strays()
	// What was sent SIGKILL ends when the kernel comes to it.
	for deadline := time.Now().Add(5 * time.Second); len(strays) > 0 && time.Now().Before(deadline); strays = ps.strays() {
		time.Sleep(50 * time.Millisecond)
	}
	for _, stray := range strays {
		ps.t.Errorf("left running: %s", stray.argv)
		_ = syscall.Kill(stray.pid, syscall.SIGKILL)
	}
	for i := len(ps.atEnd) - 1; i >= 0; i-- {
		ps.atEnd[i]()
	}
	for _, path := range leftFiles(ps.work) {
		ps.t.Errorf("left behind: %s", path)
	}
	for _, p := range ps.all {
		if text := tail(p.log); ps.t.Failed() || strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			ps.t.Logf("the end of %s:\n%s", filepath.Base(p.log), text)
			if !ps.t.Failed() {
				ps.t.Errorf("%s crashed", p.name)
			}
		}
	}
}

// A stray is a process that nobody has ended.
type stray struct {
	pid  int
	argv string
}

// strays are the processes that have to do with the script's directory and
// still live.
func (ps *processes) strays() []stray {
	var found []stray
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range entries {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		argv, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		traces := cwd + "\x00" + string(argv) + "\x00" + string(environ) + "\x00"
		if strings.Contains(traces, ps.work+"/") || strings.Contains(traces, ps.work+"\x00") {
			found = append(found, stray{pid, strings.ReplaceAll(string(argv), "\x00", " ")})
		}
	}
	return found
}

// staged is what muster calls files that it is about to swap in or out.
var staged = regexp.MustCompile(`^\..*\.muster-.*\.(new|old|tmp)$`)

// leftFiles lists the staged files below dir.
func leftFiles(dir string) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && staged.MatchString(entry.Name()) {
			found = append(found, path)
		}
		return nil // what cannot be read was closed by the script
	})
	return found
}

// tail is the end of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err.Error()
	}
	const most = 8 << 10
	if len(text) > most {
		text = append([]byte("…"), text[len(text)-most:]...)
	}
	return string(text)
}
