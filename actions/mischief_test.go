package actions

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/cluster"
)

// A Lamport time that no cluster counts up to is acted on, and forgotten with
// the run of the agent.
func TestMischiefIsNotRemembered(t *testing.T) {
	hcl := `
rule "r" {
  on = ["user:x"]
  run { command = ["true"] }
}`
	b := open(t, hcl)
	b.start()
	b.Look(view(member("n", nil)))
	b.Hear(user("x", 5, ""))
	b.Hear(user("x", 1<<48-1, ""))
	b.Hear(user("other", 1<<48-2, ""))
	if s := b.idle("r"); s.Run != 2 {
		t.Errorf("%+v", s)
	}
	if c := b.Clock(); c != 5 {
		t.Errorf("the clock is %d", c)
	}
	b.stop()
	b = reopen(t, b.dir, hcl)
	if c := b.Clock(); c != 5 {
		t.Errorf("after a restart, the clock is %d", c)
	}
	b.Hear(user("x", cluster.SaneClock, ""))
	if c := b.Clock(); c != cluster.SaneClock {
		t.Errorf("the clock is %d", c)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// Who sends events that a rule cannot judge, each in another way, does not
// fill the log.
func TestFloodOfMistakesIsALine(t *testing.T) {
	b := open(t, `
rule "r" {
  on   = ["user:x"]
  when = tonumber(event.payload) > 5
  run { command = ["true"] }
}`)
	now := time.Now()
	b.now = func() time.Time { return now }
	b.Look(view(member("n", nil)))
	for i := range 1000 {
		b.Hear(user("x", uint64(i+1), fmt.Sprint("nonsense ", i)))
		b.Hear(user("x", uint64(i+1), fmt.Sprint(1, i)[:1]))
	}
	if s := b.of("r"); s.Unwanted != 2000 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(b.log.String(), "cannot judge"); n != 1 {
		t.Errorf("%d lines:\n%.600s", n, b.log)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// Nor does who makes a rule act as fast as it can.
func TestFloodOfActionsIsAFewLines(t *testing.T) {
	b := open(t, `
rule "r" {
  on    = ["user:x"]
  queue = 1000
  run { command = ["true"] }
}`)
	var now atomic.Int64
	b.now = func() time.Time { return time.Unix(now.Load(), 0) }
	does := &fake{}
	b.exec = does.exec
	b.start()
	b.Look(view(member("n", nil)))
	for i := range 500 {
		b.Hear(user("x", uint64(i+1), ""))
	}
	if s := b.idle("r"); s.Run != 500 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(b.log.String(), "msg=acted"); n != maxLines {
		t.Errorf("%d lines", n)
	}
	now.Add(int64(logWindow / time.Second))
	b.Hear(user("x", 501, ""))
	b.eventually("one more line, and how many are missing", func() bool {
		log := b.log.String()
		return strings.Count(log, "msg=acted") == maxLines+1 && strings.Contains(log, "dropped=450")
	})
}
