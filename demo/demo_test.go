package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"muster/agent"
	"muster/config"
	"muster/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is a stage that nothing runs on.
func opened(t *testing.T) *stage {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	s, err := open(Config{Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", s.dir, err)
		}
	})
	return s
}

// The rules have no mistakes, whichever programs are installed.
func TestRules(t *testing.T) {
	for _, programs := range [][2]string{{"/usr/sbin/nginx", "/usr/sbin/haproxy"}, {"", "/usr/sbin/haproxy"}, {"/usr/sbin/nginx", ""}, {"", ""}} {
		s := opened(t)
		s.nginx, s.haproxy = programs[0], programs[1]
		if err := s.writeRules(); err != nil {
			t.Fatal(err)
		}
		program, _, problems := agent.Compile(s.path("rules.d"))
		if len(problems) > 0 {
			t.Fatalf("with programs %q: %v", programs, problems)
		}
		got := map[string][2]bool{}
		for _, r := range program.Set.Rules {
			staged := map[string]string{s.path(appCfg): "/staged"}
			check, err := r.CheckArgv(staged, "")
			if err != nil {
				t.Fatal(err)
			}
			reload, err := r.ReloadArgv()
			if err != nil {
				t.Fatal(err)
			}
			got[r.Name] = [2]bool{check != nil, reload != nil}
		}
		nginx, haproxy := programs[0] != "", programs[1] != ""
		want := map[string][2]bool{"web": {nginx, nginx}, "app": {haproxy, false}, "hosts": {false, false}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with programs %q, rules that check and reload (-want +got):\n%s", programs, diff)
		}
	}
}

// The nodes' configurations have no mistakes either, and keep to the demo.
func TestConfigurations(t *testing.T) {
	s := opened(t)
	for _, name := range cast {
		cfg, problems := config.Load(config.Flags{Config: s.node(name, "hcl")})
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if got, want := cfg.Cluster.Tags["role"], strings.TrimRight(name, "12"); got != want {
			t.Errorf("%s has the role %q, want %q", name, got, want)
		}
		for _, path := range []string{cfg.Rules.Dir, cfg.HTTP.Socket, cfg.State.Dir} {
			if !strings.HasPrefix(path, s.dir+"/") {
				t.Errorf("%s uses %s, outside the demo's directory", name, path)
			}
		}
	}
}

func TestQuote(t *testing.T) {
	if got, want := quote(`/tmp/a "b" ${c} %{d}`), `"/tmp/a \"b\" $${c} %%{d}"`; got != want {
		t.Errorf("quote is %s, want %s", got, want)
	}
}

func TestSites(t *testing.T) {
	for _, all := range [][]site{neighbours(5, 7946, 8080, 8088), flatmates(5, 20000)} {
		seen := map[string]bool{}
		for _, s := range all {
			if !s.addr.IsLoopback() {
				t.Errorf("%s is not on the loopback interface", s.addr)
			}
			seen[s.gossipAt()], seen[s.serviceAt()], seen[s.pageAt()] = true, true, true
		}
		if len(seen) != 15 {
			t.Errorf("5 nodes have %d addresses with ports, want 15", len(seen))
		}
	}
	found, err := sites(5)
	if err != nil {
		t.Fatal(err)
	}
	if err := free(found); err != nil {
		t.Errorf("what was found free is not: %v", err)
	}
	conn, err := net.ListenPacket("udp", found[3].gossipAt())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if free(found) == nil {
		t.Error("an address in use counts as free")
	}
}

func TestWants(t *testing.T) {
	for _, test := range []struct {
		want want
		text string
		met  bool
	}{
		{has("f", "web1"), "server web1;", true},
		{has("f", "web1"), "server web2;", false},
		{lacks("f", "web1"), "server web2;", true},
		{lacks("f", "web1"), "server web1;", false},
		{lacks("f", "web1"), "", false}, // a file that is gone is no progress
	} {
		if got := test.want.met(test.text); got != test.met {
			t.Errorf("%s with %q: %v, want %v", test.want, test.text, got, test.met)
		}
	}
}

func TestWork(t *testing.T) {
	log := `{"msg":"rules loaded","rules":3}
{"msg":"in step","rule":"web","changed":["/a"],"reloaded":true}
panic: not JSON
{"msg":"in step","rule":"two","changed":["/b","/c"],"reloaded":false}
`
	writes, reloads, err := work([]byte(log))
	if writes != 3 || reloads != 1 || err != nil {
		t.Errorf("%d written, %d reloads, %v, want 3 and 1", writes, reloads, err)
	}
	if _, _, err := work([]byte(`{"msg":"stopped"}`)); err == nil {
		t.Error("a log without any work counts as one")
	}
}

func TestAftermath(t *testing.T) {
	began := time.Now()
	after, before := began.Add(time.Second), began.Add(-time.Second)
	ran := func(at time.Time, took time.Duration) *reconcile.Ran { return &reconcile.Ran{At: at, Took: took} }
	got := aftermath([]agent.RuleStatus{
		{Rule: "idle", Applied: before, Check: ran(before, time.Second)},
		{Rule: "plain", Applied: after},
		{Rule: "web", Applied: after, Check: ran(after, 12*time.Millisecond), Reload: ran(after, 1200*time.Millisecond)},
		{Rule: "checked", Applied: after, Check: ran(after, time.Microsecond), Reload: ran(before, time.Second)},
	}, began)
	if want := "plain, web (check 12 ms, reload 1.2 s), checked (check 1 ms)"; got != want {
		t.Errorf("aftermath is %q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	if got, want := wrap("one two  three\nfour averylongword", 9), "one two\nthree\nfour\naverylongword\n"; got != want {
		t.Errorf("wrap is %q, want %q", got, want)
	}
}

// A failure is counted, and the first one kept.
func TestTraffic(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 2 || requests == 3 {
			http.Error(w, "nobody", http.StatusBadGateway)
			return
		}
		io.WriteString(w, "web1\n")
	}))
	defer server.Close()
	s := opened(t)
	s.traffic = send(server.URL)
	err := s.until(t.Context(), "six requests are answered", func() bool { return s.traffic.sum().answers["web1"] >= 6 })
	if err != nil {
		t.Fatal(err)
	}
	s.traffic.stop()
	s.traffic.stop()
	sum := s.traffic.sum()
	if sum.failed != 2 || sum.failure != "request 2: 502 Bad Gateway" || sum.sent != sum.answers["web1"]+2 {
		t.Errorf("the requests came to %+v", sum)
	}
}

func TestServe(t *testing.T) {
	found, err := sites(1)
	if err != nil {
		t.Fatal(err)
	}
	at := found[0].serviceAt()
	stop, err := Serve(at, "web7")
	if err != nil {
		t.Fatal(err)
	}
	asked := &traffic{url: "http://" + at, client: newClient()}
	if who, err := asked.ask(); who != "web7" || err != nil {
		t.Errorf("the answer is %q, %v", who, err)
	}
	if _, err := Serve(at, "web8"); err == nil {
		t.Error("two services have one address")
	}
	stop()
	if who, err := asked.ask(); err == nil {
		t.Errorf("%s still answers", who)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"muster-test-good": 0o755, "muster-test-bad": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	if got, want := find("muster-test-good"), filepath.Join(dir, "muster-test-good"); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := find("muster-test-bad"); got != "" {
		t.Errorf("found %q, which cannot be run", got)
	}
}

// A child that ends by itself ends the wait, and is named.
func TestLostChild(t *testing.T) {
	s := opened(t)
	p, err := start("web1", s.node("web1", "log"), syscall.SIGKILL, "/bin/sh", "-c", "echo oh no; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	s.children["web1"] = p
	err = s.until(t.Context(), "pigs fly", func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "web1 ended by itself: exit status 3") {
		t.Errorf("the error is %v", err)
	}
	var out strings.Builder
	s.cfg.Out = &out
	if s.postmortem(); !strings.Contains(out.String(), "oh no") {
		t.Errorf("the log is not shown: %q", out.String())
	}
}

// A child that will not listen ends all the same, and one that was told to end
// is no loss.
func TestStubbornChild(t *testing.T) {
	s := opened(t)
	p, err := start("web1", s.node("web1", "log"), syscall.SIGKILL, "/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	s.children["web1"] = p
	err = s.until(t.Context(), "the trap is set", func() bool {
		log, _ := os.ReadFile(s.node("web1", "log"))
		return len(log) > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	p.tell(syscall.SIGTERM)
	p.end(10 * time.Millisecond)
	if !p.hasEnded() || p.lost() != nil {
		t.Errorf("ended %v, lost %v", p.hasEnded(), p.lost())
	}
}

func TestStopped(t *testing.T) {
	s := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.until(ctx, "pigs fly", func() bool { return false }); !errors.Is(err, ErrStopped) {
		t.Errorf("the error is %v", err)
	}
}
