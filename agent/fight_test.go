package agent

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/reconcile"
)

// Somebody who changes a file over and over makes few lines of log and few
// reloads, and the file is put back in the end.
func TestSomebodyKeepsChangingAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, village: newVillage(a), dir: t.TempDir()}
		h.mkdir("rules")
		h.write("rules/rule.hcl", rule(``))
		var out bytes.Buffer
		c := quiet(h)
		c.Resync, c.Logger = time.Second, slog.New(slog.NewTextHandler(&out, nil))
		agent, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		h.Agent = agent
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- agent.Run(ctx) }()
		h.want("out", "a ")
		for range 300 { // five minutes of resyncs
			if err := os.WriteFile(h.path("out"), []byte("theirs"), 0o644); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			h.rest()
		}
		if s := h.state("web"); s.State != reconcile.Drifted || !strings.Contains(s.Why, "somebody else") || s.Retry.IsZero() {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
		time.Sleep(6 * time.Minute)
		h.want("out", "a ")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := strings.Count(out.String(), "\n"); n > 60 || !strings.Contains(out.String(), "less and less often") {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
	})
}
