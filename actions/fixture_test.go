package actions

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/cluster"
	"muster/command"
	"muster/rules"
)

func TestMain(m *testing.M) {
	if os.Getenv("MUSTER_TEST_STATE") != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// hang is how long nothing here may take; far more than anything needs.
const hang = time.Minute

// A bench is a Runner under test, with a directory for what its commands
// write, and its log.
type bench struct {
	testing.TB
	*Runner
	dir   string
	log   *lines
	end   context.CancelFunc
	ended chan error
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open opens a Runner for rules in HCL; DIR in it stands for the bench's own
// directory.
func open(t testing.TB, hcl string, change ...func(*Config)) *bench {
	t.Helper()
	return reopen(t, t.TempDir(), hcl, change...)
}

func reopen(t testing.TB, dir, hcl string, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{TB: t, dir: dir, log: &lines{}, ended: make(chan error, 1)}
	c := Config{StateDir: filepath.Join(dir, "state"), Logger: slog.New(slog.NewTextHandler(b.log, nil))}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if b.Runner, err = Open(c); err != nil {
		t.Fatal(err)
	}
	if hcl != "" {
		b.Use(Set{Rules: b.rules(hcl)})
	}
	return b
}

func (b *bench) rules(hcl string) []*rules.Rule {
	b.Helper()
	return load(b, b.TempDir(), strings.ReplaceAll(hcl, "DIR", b.dir))
}

func load(t testing.TB, dir, hcl string) []*rules.Rule {
	t.Helper()
	write(t, filepath.Join(dir, "rules.hcl"), hcl)
	set, _, problems := rules.Load(dir, rules.Known{})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	return set.Rules
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// start runs the Runner until stop or the end of the test.
func (b *bench) start() *bench {
	ctx, cancel := context.WithCancel(context.Background())
	b.end = cancel
	go func() { b.ended <- b.Run(ctx) }()
	b.Cleanup(b.stop)
	return b
}

func (b *bench) stop() {
	b.Helper()
	if b.end == nil {
		return
	}
	b.end()
	b.end = nil
	select {
	case err := <-b.ended:
		if err != nil {
			b.Error(err)
		}
	case <-time.After(hang):
		b.Error("Run does not end")
	}
}

func member(name string, tags map[string]string) cluster.Member {
	return cluster.Member{Name: name, Addr: netip.MustParseAddr("10.0.0.1"), Port: 7946, Status: cluster.Alive, Tags: tags}
}

func with(m cluster.Member, status cluster.Status) cluster.Member {
	m.Status = status
	return m
}

// view is a settled view of self and others.
func view(self cluster.Member, others ...cluster.Member) cluster.View {
	v := cluster.View{Epoch: 1, Self: self.Name, Settled: true, Members: append([]cluster.Member{self}, others...)}
	cluster.SortMembers(v.Members)
	return v
}

func user(name string, ltime uint64, payload string) cluster.Event {
	return cluster.Event{Type: cluster.EventUser, Name: name, LTime: ltime, Payload: []byte(payload)}
}

// of returns the status of one rule or handler, and holds it to its sum.
func (b *bench) of(name string) Status {
	b.Helper()
	for _, s := range b.Status() {
		if s.Name == name {
			sum := s.Run + s.Queued + s.Dropped + s.Unwanted
			for _, n := range s.Refused {
				sum += n
			}
			if sum != s.Heard {
				b.Errorf("%s: %d heard, %d accounted for: %+v", name, s.Heard, sum, s)
			}
			return s
		}
	}
	b.Fatalf("no status of %s", name)
	return Status{}
}

// eventually waits for something to become true.
func (b *bench) eventually(what string, ok func() bool) {
	b.Helper()
	for deadline := time.Now().Add(hang); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, s := range b.Status() {
				b.Logf("%+v", s)
			}
			b.Fatalf("never: %s\n%s", what, b.log)
		}
	}
}

// idle waits until a rule has nothing to do.
func (b *bench) idle(name string) Status {
	b.Helper()
	b.eventually(name+" idle", func() bool { s := b.of(name); return s.Queued == 0 && s.Running == nil })
	return b.of(name)
}

// text reads a file of the bench's directory; empty if there is none.
func (b *bench) text(name string) string {
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.Fatal(err)
	}
	return string(text)
}

// A fake stands for the running of commands.
type fake struct {
	mu   sync.Mutex
	ran  []string
	does func(ctx context.Context, c command.Command) command.Result
}

func (f *fake) exec(ctx context.Context, c command.Command) command.Result {
	f.mu.Lock()
	f.ran = append(f.ran, strings.Join(c.Argv, " "))
	f.mu.Unlock()
	if f.does != nil {
		return f.does(ctx, c)
	}
	return command.Result{}
}

func (f *fake) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.ran...)
}

func failing(text string) command.Result {
	return command.Result{ExitCode: 1, Output: []byte(text)}
}
