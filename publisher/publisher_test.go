package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"muster/cluster"
	"muster/command"
	"muster/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is one whose tags are a map.
type node struct {
	t  *testing.T
	mu sync.Mutex

	name    string
	tags    map[string]string
	changes int
	refuse  error
}

func (n *node) view() cluster.View {
	n.mu.Lock()
	defer n.mu.Unlock()
	self := cluster.Member{Name: n.name, Addr: netip.MustParseAddr("10.0.0.1"), Status: cluster.Alive}
	return cluster.View{Self: n.name, Members: []cluster.Member{self}}
}

func (n *node) set(_ context.Context, change func(map[string]string)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse != nil {
		return n.refuse
	}
	next := maps.Clone(n.tags)
	change(next)
	if size := cluster.TagSize(next); size > Budget {
		n.t.Errorf("tags of %d bytes", size)
	}
	if !maps.Equal(next, n.tags) {
		n.tags = next
		n.changes++
	}
	return nil
}

// published lists the services in the tag, by type and port.
func (n *node) published() (keys []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list, err := services.Decode(n.tags[services.Tag])
	if err != nil {
		n.t.Error(err)
	}
	for _, s := range list {
		keys = append(keys, s.Key())
	}
	return keys
}

func (n *node) await(want ...string) {
	n.t.Helper()
	for deadline := time.Now().Add(time.Minute); !slices.Equal(n.published(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("the tag has %q, want %q", n.published(), want)
		}
	}
}

// run runs a publisher until the test ends.
func (n *node) run(all ...Service) *Publisher {
	p := New(Config{View: n.view, SetTags: n.set, Logger: slog.New(slog.DiscardHandler), Wanted: Wanted{Cloud: "guifi", Services: all}})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	n.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			n.t.Error(err)
		}
	})
	return p
}

func newNode(t *testing.T) *node {
	return &node{t: t, name: "web1.example.org", tags: map[string]string{"role": "web"}}
}

// offered is a service that is checked by looking whether a file is there.
func offered(typ, port, file string) Service {
	s := Service{Name: typ, Service: services.Service{Type: typ, Port: port}, Interval: 10 * time.Millisecond, Failures: 2, Passes: 1}
	if file != "" {
		s.Check = &command.Command{Argv: []string{"test", "-e", file}, Env: command.BaseEnv(nil), Timeout: time.Minute}
	}
	return s
}

func TestPublishesWhileChecksPass(t *testing.T) {
	file := filepath.Join(t.TempDir(), "up")
	n := newNode(t)
	p := n.run(offered("web", "80", file), offered("dns", "53", ""))
	n.await("dns:53")
	touch(t, file)
	n.await("dns:53", "web:80")
	os.Remove(file)
	n.await("dns:53")
	touch(t, file)
	n.await("dns:53", "web:80")

	list, _ := services.Decode(n.tags[services.Tag])
	want := services.Service{Type: "web", Port: "80", Host: "web1.guifi.local", IP: "10.0.0.1"}
	if diff := cmp.Diff(want, list[1]); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	awaitState(t, p, 0, Published)
	r := p.Report()
	if r.Bytes != cluster.TagSize(n.tags) || r.Each[0].Check == nil || r.Each[0].State != Published || r.Each[1].State != Published {
		t.Errorf("report: %+v", r)
	}
}

func awaitState(t *testing.T, p *Publisher, i int, want State) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.Report().Each[i].State != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %+v, want %s", p.Report().Each[i], want)
		}
	}
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What others have put into the tag stays there; what is in it from before a
// restart is left until its check has ended.
func TestLeavesAloneWhatIsNotOurs(t *testing.T) {
	n := newNode(t)
	other, ours := services.Service{Type: "ftp", Port: "21"}, services.Service{Type: "web", Port: "80"}
	if err := services.Set(n.tags, []services.Service{other, ours}); err != nil {
		t.Fatal(err)
	}
	slow := offered("web", "80", "")
	slow.Check = &command.Command{Argv: []string{"sleep", "60"}, Env: command.BaseEnv(nil), Timeout: time.Minute}
	p := n.run(slow, offered("dns", "53", ""))
	n.await("dns:53", "ftp:21", "web:80")
	if s := p.Report().Each[0].State; s != Checking {
		t.Errorf("it is %s", s)
	}
	p.Set(Wanted{Cloud: "guifi"})
	n.await("ftp:21")
}

func TestSetKeepsWhatIsTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "up")
	touch(t, file)
	n := newNode(t)
	web := offered("web", "80", file)
	p := n.run(web)
	awaitState(t, p, 0, Published)
	since := p.Report().Each[0].Since
	web.Description, web.Failures = "Shop", 7
	p.Set(Wanted{Cloud: "guifi", Services: []Service{web, offered("dns", "53", "")}})
	n.await("dns:53", "web:80")
	list, _ := services.Decode(n.tags[services.Tag])
	if list[1].Description != "Shop" || p.Report().Each[0].Since != since {
		t.Errorf("%+v, %+v", list, p.Report().Each[0])
	}
	moved := offered("web", "81", file)
	p.Set(Wanted{Cloud: "guifi", Services: []Service{moved}})
	n.await("web:81")
}

// What does not fit is left out, the others are there, and the agent says so.
func TestBudget(t *testing.T) {
	n := newNode(t)
	large := offered("large", "1", "")
	for i := range 60 {
		large.Text += fmt.Sprintf("%x&", uint32(i)*2654435761)
	}
	p := n.run(offered("web", "80", ""), large, offered("dns", "53", ""))
	n.await("dns:53", "web:80")
	awaitState(t, p, 1, Full)
	if why := p.Report().Each[1].Why; !strings.Contains(why, "bytes more than the tags have room for") {
		t.Error(why)
	}
}

// The tag is put right when somebody writes over it, and a tag that cannot be
// read gives way. Nothing is gossiped when nothing has changed.
func TestDraftIsLevelTriggered(t *testing.T) {
	self := cluster.Member{Name: "a", Addr: netip.MustParseAddr("10.0.0.1")}
	entries := []*entry{newEntry(offered("web", "80", ""), time.Now())}
	var last *draft
	tags := map[string]string{"role": "x"}
	write := func() *draft {
		d := newDraft(entries, nil, "guifi", self, last)
		d.change(tags)
		last = d
		return d
	}
	if d := write(); !d.changed || !d.outcome["web:80"].in {
		t.Fatalf("%+v", d)
	}
	good := tags[services.Tag]
	if d := write(); d.changed || !d.outcome["web:80"].in || d.bytes != cluster.TagSize(tags) {
		t.Fatalf("again: %+v", d)
	}
	for _, text := range []string{"", "no tag"} {
		tags[services.Tag] = text
		if d := write(); !d.changed || tags[services.Tag] != good || (text != "") != (d.unread != nil) {
			t.Errorf("over %q: %+v", text, d)
		}
	}
	self.Addr = netip.MustParseAddr("10.0.0.2")
	if d := write(); !d.changed || tags[services.Tag] == good {
		t.Errorf("another address: %+v", d)
	}
	allocs := testing.AllocsPerRun(100, func() { write() })
	if allocs > 30 {
		t.Errorf("nothing to do takes %v allocations", allocs)
	}
}

// A change that cannot be made is reported, and made when it can.
func TestTroubleIsReported(t *testing.T) {
	n := newNode(t)
	n.refuse = errors.New("cannot set tags: no connection")
	p := n.run(offered("web", "80", ""))
	for deadline := time.Now().Add(time.Minute); p.Report().Problem == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no problem is reported")
		}
	}
	n.mu.Lock()
	n.refuse = nil
	n.mu.Unlock()
	p.Set(Wanted{Cloud: "guifi", Services: []Service{offered("web", "80", "")}})
	n.await("web:80")
}

func TestHost(t *testing.T) {
	if got := Host("web1.example.org", "guifi"); got != "web1.guifi.local" {
		t.Error(got)
	}
}

// Without a service there is nothing to do, and nothing is done in a circle.
func TestRestsWithoutServices(t *testing.T) {
	p := New(Config{})
	if wait := time.Until(p.next(time.Time{}, time.Time{})); wait <= 0 {
		t.Errorf("looks again at once, and again (%v)", wait)
	}
}
