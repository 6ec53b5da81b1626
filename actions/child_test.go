package actions

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/command"
	"muster/rules"
)

const (
	childEvents = 4
	childRules  = `
rule "one" {
  on = ["user:x"]
  run { command = ["sh", "-c", "echo $1 >>DIR/one", "sh", event.payload] }
}
rule "two" {
  on = ["user:x"]
  run {
    command    = ["sh", "-c", "echo $1 >>DIR/two", "sh", event.payload]
    idempotent = true
  }
}`
)

// child is another process of these tests: an agent that hears a few events,
// and that is killed at one of the steps of the ledger, or before or after one
// of its commands: the one whose number is in MUSTER_TEST_KILL. It exits with
// 0 if it got to the end.
func child() int {
	dir := os.Getenv("MUSTER_TEST_STATE")
	kill, _ := strconv.Atoi(os.Getenv("MUSTER_TEST_KILL"))
	time.AfterFunc(hang, func() { debug.SetTraceback("all"); panic("hangs") })
	steps := make(chan struct{}, 1)
	steps <- struct{}{}
	step := func(string) error {
		<-steps
		if kill--; kill == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		steps <- struct{}{}
		return nil
	}
	l, _, err := openLedger(filepath.Join(dir, "state"), time.Now, step)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	r, err := Open(Config{StateDir: filepath.Join(dir, "unused")})
	if err != nil {
		fmt.Println(err)
		return 2
	}
	_ = r.ledger.close()
	r.ledger, r.recovered = l, l.open()
	r.exec = func(ctx context.Context, c command.Command) command.Result {
		_ = step("before a command")
		res := command.Run(ctx, c)
		_ = step("after a command")
		return res
	}
	set, _, problems := rules.Load(filepath.Join(dir, "rules"), rules.Known{})
	if problems.HasErrors() {
		fmt.Println(problems)
		return 2
	}
	r.Use(Set{Rules: set.Rules})
	r.Look(view(member("n", nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for i := range uint64(childEvents) {
		r.Hear(user("x", i+1, fmt.Sprint("e", i+1)))
	}
	for busy := true; busy; time.Sleep(time.Millisecond) {
		busy = false
		for _, s := range r.Status() {
			busy = busy || s.Queued > 0 || s.Running != nil
		}
	}
	cancel()
	if err := <-ended; err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// The agent is killed at every step: each event makes each rule act once. Only
// what was under way, and may not be repeated, is cut off, and shown as such.
func TestKilledAtEveryStep(t *testing.T) {
	kills, cut, again := 0, 0, 0
	for kill := 1; ; kill++ {
		dir := t.TempDir()
		for _, sub := range []string{"state", "unused", "rules"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		hcl := strings.ReplaceAll(childRules, "DIR", dir)
		loaded := load(t, filepath.Join(dir, "rules"), hcl)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "MUSTER_TEST_STATE="+dir, fmt.Sprint("MUSTER_TEST_KILL=", kill))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break // it has fewer steps
		}
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Fatalf("%v\n%s", err, out)
		}
		kills++
		b := reopen(t, dir, "").start()
		b.Use(Set{Rules: loaded})
		b.Look(view(member("n", nil)))
		for i := range uint64(childEvents) { // as a node does that knows the past
			b.Hear(user("x", i+1, fmt.Sprint("e", i+1)))
		}
		one, two := b.idle("one"), b.idle("two")
		for i := range childEvents {
			e := fmt.Sprint("e", i+1, "\n")
			isCut := 0
			for _, c := range one.CutOff {
				if c.Event == fmt.Sprintf("user:x (%d)", i+1) {
					isCut++
				}
			}
			cut += isCut
			if n := strings.Count(b.text("one"), e); n > 1 || n == 0 && isCut == 0 || isCut > 1 {
				t.Errorf("kill %d: %q ran %d times, cut off %d times", kill, e, n, isCut)
			}
			n := strings.Count(b.text("two"), e)
			if n < 1 || n > 2 {
				t.Errorf("kill %d: %q, which may be repeated, ran %d times", kill, e, n)
			}
			again += n - 1
		}
		if len(one.CutOff) > 1 || len(two.CutOff) > 0 {
			t.Errorf("kill %d: cut off %v, %v", kill, one.CutOff, two.CutOff)
		}
		b.stop()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d cut off, %d repeated", kills, cut, again)
	if kills < 20 || cut < childEvents || again < 2 {
		t.Errorf("%d kills, %d cut off, %d repeated: that proves little", kills, cut, again)
	}
}
