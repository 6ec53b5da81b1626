package muster_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata drive the built binary as its users do: real
// processes, real files, loopback nodes. Every script has addresses of its
// own, $A $B $C $D $E, in 127.0.0.0/8, and may use every port on them.
//
// Beyond testscript's own commands a script has
//
//	[!have:PROGRAM] skip      without it skip loudly, on CI fail; also [!root]
//	eventually COMMAND...     retry a script command until it succeeds
//	load start URL            send requests, each on a new connection
//	load stop [MAX]           fail if more than MAX (0) of them failed
//	fetch URL                 its body becomes stdout
//	hostile KIND ADDR         send a malformed gossip packet to ADDR
//	lines N FILE              fail unless FILE has N lines
//	env-file FILE...          replace $VAR in the files by the script's values

func TestMain(m *testing.M) {
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
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// scripts counts the scripts started, to give each addresses of its own.
var scripts atomic.Uint32

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			n := scripts.Add(1)
			for i, name := range []string{"A", "B", "C", "D", "E"} {
				// The pid keeps two test runs on one machine apart.
				env.Setenv(name, fmt.Sprintf("127.%d.%d.%d", 10+os.Getpid()%200, n, i+1))
			}
			env.Setenv("MUSTER_SOCKET", filepath.Join(env.WorkDir, "run", "api.sock"))
			env.Values[loadKey{}] = &traffic{}
			env.Defer(func() { env.Values[loadKey{}].(*traffic).halt() })
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"eventually": eventually,
			"load":       loadCommand,
			"fetch":      fetch,
			"hostile":    hostile,
			"lines":      lines,
			"env-file":   envFile,
		},
	})
}

// condition answers `[have:PROGRAM]` and `[root]`. What is missing is said
// loudly, and on CI it is a failure.
func condition(cond string) (bool, error) {
	what, ok := strings.CutPrefix(cond, "have:")
	switch {
	case cond == "root":
		what, ok = "root", os.Geteuid() == 0
	case ok:
		_, err := exec.LookPath(what)
		ok = err == nil
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if !ok && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("this script needs %s, and on CI nothing may be missing", what)
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "SKIPPED: a script needs %s: run `make deps`\n", what)
	}
	return ok, nil
}

// patience bounds how long eventually tries. It is a bound on hanging, not a
// claim about speed: machines are shared.
const patience = 60 * time.Second

// eventually retries `exec PROGRAM ARGS...`, or with a leading `!` waits for
// its failure, until it succeeds.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: eventually [!] program args...")
	}
	wantFailure := neg
	if args[0] == "!" {
		wantFailure, args = true, args[1:]
	}
	deadline := time.Now().Add(patience)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if (err != nil) == wantFailure {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still not so after %v: %s", patience, strings.Join(args, " "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// lines checks how many lines a file has.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[1]), "\n"); (got == want) == neg {
		ts.Fatalf("%s has %d lines", args[1], got)
	}
}

// udp sends one packet to addr.
func udp(ts *testscript.TestScript, addr string, packet []byte) {
	conn, err := net.Dial("udp", addr)
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Write(packet)
	ts.Check(err)
}

// envFile replaces the script's variables in files: configurations have to
// name the script's directory and addresses.
func envFile(ts *testscript.TestScript, neg bool, args []string) {
	for _, arg := range args {
		path := ts.MkAbs(arg)
		text := variable.ReplaceAllStringFunc(ts.ReadFile(arg), func(name string) string {
			return ts.Getenv(name[1:])
		})
		ts.Check(os.WriteFile(path, []byte(text), 0o644))
	}
}

// variable is a variable that a script's file may name. Anything else with a
// dollar is the file's own.
var variable = regexp.MustCompile(`\$(WORK|[A-E])\b`)
