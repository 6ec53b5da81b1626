package muster_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata drive the built binary as its users do: real
// processes, real files, loopback nodes. Every script has addresses of its
// own, $A $B $C $D $E, in 127.0.0.0/8, and may use every port on them; in its
// files they and $WORK are replaced by their values. $EXAMPLES and $INSTALL are
// the repository's directories.
//
// Beyond testscript's own commands a script has
//
//	[!have:PROGRAM] skip        without it skip loudly, on CI fail; also [!root]
//	agent NAME ADDR [FLAG...]   start `muster agent` as node NAME at ADDR, and
//	                            wait until it and its socket NAME.sock answer; `muster`
//	                            asks the node lb unless told otherwise
//	start NAME PROGRAM ARG...   start a process; its output goes to NAME.log, but
//	                            what muster prints on standard output to NAME.out
//	signal SIGNAL NAME          send it a signal
//	ended NAME [CODE|SIGNAL]    wait for its end; it must have exited with CODE (0)
//	eventually [!] COMMAND...   wait for one of: exec PROGRAM ARG...,
//	                            prints PATTERN PROGRAM ARG..., grep PATTERN FILE,
//	                            exists FILE, serves PATTERN URL,
//	                            sees PATTERN SELECTOR (in the browser)
//	steady COMMAND...           the same must hold now, and for a second
//	json FILE PATH VALUE        in a JSON file (or stdout), the value at PATH
//	                            (a.b.0.c) is VALUE, as JSON or a bare word
//	parses FORMAT FILE          FILE (or stdout) is valid json, jsonl, yaml or toml
//	lines N FILE                FILE has N lines
//	load start URL              send requests, each on a new connection
//	load stop [MAX]             at most MAX (0) of them failed
//	fetch URL                   its body becomes stdout
//	browser open URL            show a page in chromium; then click SELECTOR,
//	                            write SELECTOR TEXT, paste SELECTOR FILE, press KEY,
//	                            is VALUE EXPRESSION; view NAME (it must fit a desk and a phone; pictures
//	                            go to $MUSTER_VIEWS), quiet (nothing was complained of)
//	hostile KIND ADDR           send a malformed gossip packet to ADDR
//	flood N NAME                send N user events through the RPC, and see that
//	                            each one is accounted for
//	notify-socket               be a service manager: NOTIFY_SOCKET's messages
//	                            go to notify.log
//	build-for ARCH...           build muster as it is released for amd64, arm64 or armv6:
//	                            muster-linux-ARCH
//	machine NAME                start a machine within this one, of which nothing stays;
//	                            exec ./on-NAME PROGRAM ARG... runs a program there
//	at-end PROGRAM ARG...       run it when the script has ended, failed or not
//
// When a script ends, so do its processes: those that do not end on SIGTERM,
// those that survive the process that started them, and staged files that
// nobody cleared away are failures.

func TestMain(m *testing.M) {
	flag.Parse()
	// The scripts mostly wait, so that more of them fit on a processor.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set("8")
	}
	dir, err := os.MkdirTemp("", "muster-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/muster")
	if raceEnabled {
		build.Args = []string{"go", "build", "-race", "-o", dir, "./cmd/muster"}
	}
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build muster: %v\n%s", err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	// A race found ends the process; and none waits a second at its end.
	os.Setenv("GORACE", "halt_on_error=1 atexit_sleep_ms=0")
	before := machinesOwn()
	code := m.Run()
	os.RemoveAll(dir)
	if left := machinesOwn(); !slices.Equal(before, left) {
		fmt.Fprintf(os.Stderr, "the machine had %q, and after the tests %q\n", before, left)
		code = 1
	}
	os.Exit(code)
}

// machinesOwn returns which of muster's own directories the machine has: tests
// have others.
func machinesOwn() []string {
	return slices.DeleteFunc([]string{"/etc/muster", "/run/muster", "/var/lib/muster"}, func(path string) bool {
		_, err := os.Lstat(path)
		return err != nil
	})
}

// scripts counts the scripts started, to give each addresses of its own.
var scripts atomic.Uint32

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent":         agentCommand,
			"start":         startCommand,
			"signal":        signalCommand,
			"ended":         endedCommand,
			"at-end":        atEnd,
			"build-for":     buildFor,
			"machine":       machineCommand,
			"eventually":    eventually,
			"steady":        steady,
			"json":          jsonCommand,
			"parses":        parses,
			"lines":         lines,
			"load":          loadCommand,
			"fetch":         fetch,
			"browser":       browserCommand,
			"hostile":       hostile,
			"flood":         flood,
			"notify-socket": notifySocket,
		},
	})
}

// setUp gives a script its addresses and replaces them in its files.
func setUp(env *testscript.Env) error {
	n := scripts.Add(1)
	values := map[string]string{"$WORK": env.WorkDir}
	for i, name := range []string{"A", "B", "C", "D", "E"} {
		// The pid keeps two test runs on one machine apart.
		addr := fmt.Sprintf("127.%d.%d.%d", 10+os.Getpid()%200, n, i+1)
		env.Setenv(name, addr)
		values["$"+name] = addr
	}
	for name, dir := range map[string]string{"EXAMPLES": "examples", "INSTALL": "install"} {
		path, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	env.Setenv("MUSTER_SOCKET", filepath.Join(env.WorkDir, "lb.sock"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("TZ", "UTC")
	p := newProcesses(env)
	env.Values[processesKey{}] = p
	env.Defer(p.end)
	b := &browser{}
	env.Values[browserKey{}] = b
	env.Defer(b.end)
	env.Values[loadKey{}] = &traffic{}
	env.Defer(func() { env.Values[loadKey{}].(*traffic).halt() })
	if err := os.Mkdir(filepath.Join(env.WorkDir, "no-rules"), 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(env.WorkDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		replaced := variable.ReplaceAllFunc(text, func(name []byte) []byte { return []byte(values[string(name)]) })
		return os.WriteFile(path, replaced, 0o644)
	})
}

// variable is a variable that a script's file may name. Anything else with a
// dollar is the file's own.
var variable = regexp.MustCompile(`\$(WORK|[A-E])\b`)

// condition answers `[have:PROGRAM]` and `[root]`. What is missing is said
// loudly, and on CI it is a failure.
func condition(cond string) (bool, error) {
	what, there := "root", os.Geteuid() == 0
	if program, ok := strings.CutPrefix(cond, "have:"); ok {
		_, err := exec.LookPath(program)
		what, there = program, err == nil
	} else if cond != "root" {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if !there && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("this script needs %s, and on CI nothing may be missing", what)
	}
	if !there {
		fmt.Fprintf(os.Stderr, "SKIPPED: a script needs %s; see `make deps`\n", what)
	}
	return there, nil
}
