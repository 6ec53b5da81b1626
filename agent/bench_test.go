package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// BenchmarkChange is one member's change among n, from the new view to the
// end of the pass that wrote it, with as many rules as there are roles.
func BenchmarkChange(b *testing.B) {
	for _, size := range []struct{ members, rules int }{{100, 1}, {1_000, 1}, {10_000, 1}, {100, 100}, {10_000, 100}} {
		b.Run(fmt.Sprintf("members=%d/rules=%d", size.members, size.rules), func(b *testing.B) {
			benchmarkChange(b, size.members, size.rules)
		})
	}
}

func benchmarkChange(b *testing.B, members, rules int) {
	dir := b.TempDir()
	all := clustertest.Members("member", members, nil)
	for i := range all {
		all[i].Tags = map[string]string{"role": fmt.Sprintf("r%d", i%rules), "dc": "dc1", "rack": fmt.Sprint(i % 40), "version": "1.2.3"}
	}
	v := newVillage(all...)
	h := &host{village: v, dir: dir}
	var text strings.Builder
	for r := range rules {
		fmt.Fprintf(&text, `
rule "r%[1]d" {
  members { tags = { role = "r%[1]d" } }
  template {
    source      = "nginx-upstream"
    destination = "%[2]s/r%[1]d.conf"
    vars        = { upstream = "r%[1]d", port = 8080 }
  }
  wait = "0s"
}
`, r, dir)
	}
	writeBench(b, h, text.String())
	passed := make(chan struct{}, 1)
	notify := func(n Notice) {
		if n.Status != "" {
			select {
			case passed <- struct{}{}:
			default:
			}
		}
	}
	a, err := New(Config{Notify: notify, Source: v, RulesDir: h.path("rules"), StateDir: h.path("state"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	if _, err := a.Apply(ctx, nil, false); err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Second) // nothing is left over of the start
	for len(passed) > 0 {
		<-passed
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		changed := v.View().Members
		at := (i * 7) % len(changed)
		if changed[at].Name == "self" {
			at--
		}
		m := changed[at]
		m.Tags = maps.Clone(m.Tags)
		m.Tags["port"] = fmt.Sprint(1024 + i%60000)
		changed = slices.Clone(changed)
		changed[at] = m
		v.change(func(view *cluster.View) { view.Members = changed })
		<-passed
	}
}

func writeBench(b *testing.B, h *host, rules string) {
	b.Helper()
	if err := os.MkdirAll(h.path("rules"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(h.path("rules/rules.hcl"), []byte(rules), 0o644); err != nil {
		b.Fatal(err)
	}
}
