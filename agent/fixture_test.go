package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"muster/cluster"
)

// A village is a membership that a test makes up.
type village struct {
	mu      sync.Mutex
	view    cluster.View
	changed chan struct{}
}

func newVillage(members ...cluster.Member) *village {
	v := &village{changed: make(chan struct{}, 1)}
	v.set(members...)
	return v
}

func (v *village) View() cluster.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.view
}

func (v *village) Changed() <-chan struct{} { return v.changed }

// set makes members, and self, the membership. It is settled.
func (v *village) set(members ...cluster.Member) {
	all := append([]cluster.Member{node("self", 1, "lb")}, members...)
	cluster.SortMembers(all)
	v.change(func(view *cluster.View) { view.Members, view.Settled = all, true })
}

// change changes the view and says so.
func (v *village) change(f func(*cluster.View)) {
	v.mu.Lock()
	view := v.view
	view.Epoch, view.Self = 1, "self"
	f(&view)
	v.view = view
	v.mu.Unlock()
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

func node(name string, n byte, role string) cluster.Member {
	return cluster.Member{
		Name: name, Addr: netip.AddrFrom4([4]byte{127, 0, 0, n}), Port: 7946,
		Status: cluster.Alive, Tags: map[string]string{"role": role},
	}
}

func failedNode(m cluster.Member) cluster.Member {
	m.Status = cluster.Failed
	return m
}

// A host is an agent on a village, with directories of its own. Time is
// synctest's.
type host struct {
	*Agent
	*village
	t    *testing.T
	dir  string
	stop func()
}

// newHost starts an agent with one rule file. DIR in it is the directory in
// which the rule's files are expected.
func newHost(t *testing.T, v *village, rule string) *host {
	t.Helper()
	h := &host{t: t, village: v, dir: t.TempDir()}
	h.mkdir("rules")
	h.write("rules/rule.hcl", rule)
	h.start()
	return h
}

// start starts an agent; stop, or the test's end, stops it.
func (h *host) start() {
	h.t.Helper()
	h.startWith(quiet(h))
}

func (h *host) startWith(cfg Config) {
	h.t.Helper()
	a, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Agent = a
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(h.stop)
}

// quiet is the configuration of an agent in a synctest bubble: watching files
// would keep its time from passing.
func quiet(h *host) Config {
	return Config{
		Source: h.village, RulesDir: h.path("rules"), StateDir: h.path("state"), Blind: true,
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) mkdir(name string) {
	h.t.Helper()
	if err := os.MkdirAll(h.path(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// write writes a file, in which ${DIR} stands for the host's directory.
func (h *host) write(name, text string) {
	h.t.Helper()
	text = strings.ReplaceAll(text, "${DIR}", h.dir)
	if err := os.WriteFile(h.path(name), []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// read returns a file's text; a missing file's is "<none>".
func (h *host) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.path(name))
	if os.IsNotExist(err) {
		return "<none>"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// want fails unless the file has the text, once everything has come to rest.
func (h *host) want(name, text string) {
	h.t.Helper()
	h.rest()
	if got := h.read(name); got != text {
		h.t.Fatalf("after %v %s is %q, want %q", time.Since(epoch), name, got, text)
	}
}

// rest waits until nothing happens any more without time passing. Commands
// are real, so a pass may still be waiting for one.
func (h *host) rest() {
	for range 30_000 {
		synctest.Wait()
		busy := false
		_ = h.ask(context.Background(), func(l *loop) { busy = l.passes > 0 })
		if !busy {
			return
		}
		realPause()
	}
	h.t.Fatal("the agent does not come to rest")
}

// realPause lets real processes get on: they take real time, of which Sleep in
// a bubble takes none.
func realPause() { _, _ = unix.Poll(nil, 2) }

// state is the rule's state.
func (h *host) state(rule string) RuleStatus {
	h.t.Helper()
	h.rest()
	s, err := h.Status(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if found := s.only([]string{rule}); len(found) == 1 {
		return found[0]
	}
	h.t.Fatalf("no rule %q", rule)
	return RuleStatus{}
}

// epoch is when a synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// rule is a rule that lists its members' names in DIR/out, with more to say.
func rule(more string) string {
	return fmt.Sprintf(`
rule "web" {
  members { tags = { role = "web" } }
  template {
    contents    = "{{ range .Members }}{{ .Name }} {{ end }}"
    destination = "${DIR}/out"
  }
  %s
}`, more)
}
