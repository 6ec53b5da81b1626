package actions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
	"muster/rules"
)

// 100,000 events (fewer where the race detector slows everything) while one handler and one rule hang: nothing waits, and every
// one is accounted for.
func TestFloodWithAHungHandler(t *testing.T) {
	n := uint64(100_000)
	if raced {
		n = 20_000
	}
	b := open(t, "", func(c *Config) { c.HandlerTimeout = time.Hour }).start()
	handler, err := rules.ParseHandler("user:x=sleep 1000")
	if err != nil {
		t.Fatal(err)
	}
	b.Use(Set{Rules: b.rules(`
rule "hang" {
  on = ["user:x"]
  run {
    command = ["sleep", "1000"]
    timeout = "1h"
  }
}
rule "picky" {
  on   = ["user:x"]
  when = event.ltime % 1000 == 0
  run { command = ["sh", "-c", "echo $1 >>DIR/picky", "sh", event.payload] }
}`), Handlers: []rules.Handler{handler}})
	b.Look(view(member("n", nil)))
	before := runtime.NumGoroutine()
	for i := range n {
		b.Hear(user("x", i+1, fmt.Sprint(i)))
	}
	goroutines := runtime.NumGoroutine() - before
	for _, name := range []string{"hang", handler.Line} {
		if s := b.of(name); s.Heard != n || s.Run != 1 || s.Queued != 64 || s.Dropped != n-65 || s.Running == nil {
			t.Errorf("%+v", s)
		}
	}
	s := b.idle("picky")
	if s.Heard != n || s.Run+s.Dropped != n/1000 || s.Unwanted != n-n/1000 || uint64(strings.Count(b.text("picky"), "\n")) != s.Run {
		t.Errorf("%+v", s)
	}
	if b.Clock() != n {
		t.Errorf("clock %d", b.Clock())
	}
	if goroutines > 30 {
		t.Errorf("%d goroutines more", goroutines)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if info, err := os.Stat(filepath.Join(b.dir, "state", ledgerName)); err != nil || info.Size() > 8<<20 || m.HeapAlloc > 100<<20 {
		t.Errorf("ledger %v, heap %d", info, m.HeapAlloc)
	}
	if lines := strings.Count(b.log.String(), "\n"); lines > 300 {
		t.Errorf("%d lines of log", lines)
	}
	b.stop()
}

// A command floods, forks and ignores TERM: others act meanwhile, and nothing
// of it is left after its timeout.
func TestHostileCommand(t *testing.T) {
	b := open(t, `
rule "hostile" {
  on = ["user:x"]
  run {
    command = ["sh", "-c", <<-EOT
      trap '' TERM
      echo $$ >>DIR/pids
      sh -c 'trap "" TERM; echo $$ >>DIR/pids; while :; do sleep 1; done' &
      setsid sh -c 'trap "" TERM; echo $$ >>DIR/pids; while :; do sleep 1; done' &
      head -c 2000000000 /dev/zero
      while :; do sleep 1; done
    EOT
    ]
    timeout = "3s"
  }
}`+logRule).start()
	b.Look(view(member("n", nil)))
	b.Hear(user("x", 1, ""))
	b.eventually("it floods", func() bool { return strings.Count(b.text("pids"), "\n") == 3 })
	b.Hear(user("log", 2, "hello"))
	b.eventually("the other rule acts", func() bool { return b.text("out") == "hello\n" })
	if s := b.of("hostile"); s.Running == nil {
		t.Error("the other rule waited for it")
	}
	if s := b.idle("hostile"); s.Failed != 1 || !strings.Contains(s.Last.Verdict, "timed out after") || len(s.Last.Verdict) > maxVerdict {
		t.Errorf("%+v", s.Last)
	}
	for _, word := range strings.Fields(b.text("pids")) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		b.eventually(word+" is gone", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(stat), ") Z") || strings.Contains(string(stat), ") X")
		})
	}
}

// With a full disk what acts on user events waits, says so, and goes on by
// itself. Queries and members are not concerned.
func TestFullDisk(t *testing.T) {
	b := open(t, logRule+`
rule "ok" {
  on = ["query:ok"]
  respond { text = "ok" }
}`)
	var full atomic.Bool
	full.Store(true)
	b.ledger.step = func(string) error {
		if full.Load() {
			return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
		}
		return nil
	}
	b.start()
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 1, "a"))
	b.Hear(user("log", 2, "b"))
	b.eventually("it is told", func() bool { return b.of("log").Problem != "" })
	if s := b.of("log"); s.Run != 0 || s.Queued != 2 || s.Problem != "cannot write the event ledger: no space left on device" || len(b.Problems()) != 1 {
		t.Errorf("%+v %q", s, b.Problems())
	}
	answered := false
	b.Hear(cluster.Event{Type: cluster.EventQuery, Name: "ok", Answer: func([]byte) error { answered = true; return nil }})
	if s := b.idle("ok"); s.Failed > 0 || !answered {
		t.Errorf("%+v", s)
	}
	full.Store(false)
	s := b.idle("log")
	if s.Run != 2 || s.Problem != "" || b.text("out") != "a\nb\n" || len(b.Problems()) != 0 {
		t.Errorf("%+v, %q, %q", s, b.text("out"), b.Problems())
	}
	b.stop()
	b = reopen(t, b.dir, logRule).start()
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 1, "a"))
	if s := b.idle("log"); s.Refused[RefusedReplay] != 1 || b.Clock() != 2 {
		t.Errorf("forgotten: %+v, clock %d", s, b.Clock())
	}
}

// A disk that is full when the agent starts is no reason not to.
func TestFullDiskAtTheStart(t *testing.T) {
	full := true
	l, notices, err := openLedger(t.TempDir(), time.Now, func(string) error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	})
	if err != nil || len(notices) != 1 {
		t.Fatal(notices, err)
	}
	e := l.accept(keyFor("r", 1, ""), nil, "")
	if err := l.claim([]*entry{e}); err == nil {
		t.Error("claimed with a full disk")
	}
	full = false
	l.now = func() time.Time { return time.Now().Add(time.Minute) }
	if err := errors.Join(l.claim([]*entry{e}), l.close()); err != nil {
		t.Error(err)
	}
}

// A burst costs a few syncs, not one for each event.
func TestBurstCostsFewSyncs(t *testing.T) {
	b := open(t, logRule)
	var syncs atomic.Int64
	b.ledger.step = func(what string) error {
		if what == "sync" {
			syncs.Add(1)
			time.Sleep(30 * time.Millisecond) // an SD card
		}
		return nil
	}
	b.start()
	b.Look(view(member("n", nil)))
	for i := range uint64(20) {
		b.Hear(user("log", i+1, "x"))
		time.Sleep(5 * time.Millisecond)
	}
	if s := b.idle("log"); s.Run != 20 {
		t.Errorf("%+v", s)
	}
	if n := syncs.Load(); n < 1 || n > 10 {
		t.Errorf("%d syncs for 20 events", n)
	}
}
