package actions

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/command"
)

// From an event that is heard to its command that is started: accept, claim
// with its sync, start.
func BenchmarkEventToCommand(b *testing.B) {
	begun := make(chan time.Time)
	h := open(b, "rule \"r\" {\n on = [\"user:x\"]\n run { command = [\"true\"] }\n}")
	h.exec = func(context.Context, command.Command) command.Result {
		begun <- time.Now()
		return command.Result{}
	}
	h.start()
	h.Look(view(member("n", nil)))
	var took time.Duration
	n := uint64(0)
	for b.Loop() {
		n++
		at := time.Now()
		h.Hear(user("x", n, ""))
		took += (<-begun).Sub(at)
		h.idle("r")
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs/command")
}

// A thousand events through one rule with a real command.
func BenchmarkThousandEvents(b *testing.B) {
	h := open(b, "rule \"r\" {\n on = [\"user:x\"]\n queue = 1000\n run { command = [\"true\"] }\n}").start()
	h.Look(view(member("n", nil)))
	n := uint64(0)
	for b.Loop() {
		for range 1000 {
			n++
			h.Hear(user("x", n, ""))
		}
		h.idle("r")
	}
}

// What a rule costs that does not want an event, with many members.
func BenchmarkUnwanted(b *testing.B) {
	h := open(b, "rule \"r\" {\n on = [\"user:x\"]\n nodes = \"one\"\n when = event.payload == \"y\"\n run { command = [\"true\"] }\n}")
	v := view(member("n", nil))
	for i := range 10_000 {
		v.Members = append(v.Members, member(fmt.Sprintf("web-%05d", i), map[string]string{"role": "web"}))
	}
	h.Look(v)
	n := uint64(0)
	for b.Loop() {
		n++
		h.Hear(user("x", n, ""))
	}
}
