package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
	"muster/logs"
)

// serfAgentEnv makes this test's program `serf agent`: see TestMain.
const serfAgentEnv = "MUSTER_TEST_SERF_AGENT"

// A stock is Serf's own agent, a real process.
type stock struct {
	t    *testing.T
	name string
	bind string // ip:port of the gossip
	rpc  string // ip:port
	key  string // of the RPC
	args []string
	env  string // one more variable
	cmd  *exec.Cmd
	out  *logbook
}

var nextStock atomic.Uint32

// nextAddress returns an address of 127.0.0.0/8 that no other test uses, and none of
// the scripts that run at the same time.
func nextAddress() string {
	return fmt.Sprintf("127.62.%d.%d", 128+os.Getpid()%100, nextStock.Add(1))
}

// startStock starts Debian's Serf agent on an address of its own and waits
// until its RPC answers. It ends with the test.
func startStock(t *testing.T, name string, args ...string) *stock {
	t.Helper()
	path, err := exec.LookPath("serf")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("serf is not installed: apt-get install serf")
		}
		t.Skip("NOT TESTED AGAINST SERF'S OWN AGENT: serf is not installed (apt-get install serf)")
	}
	return startSerf(t, path, "", name, args)
}

// startLatest is startStock with the agent of the Serf that this module
// requires, which this test's own program can be.
func startLatest(t *testing.T, name string, args ...string) *stock {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startSerf(t, path, serfAgentEnv+"=1", name, args)
}

// startSerf starts the agent at path, with env in its environment.
func startSerf(t *testing.T, path, env, name string, args []string) *stock {
	t.Helper()
	ip := nextAddress()
	s := &stock{t: t, name: name, bind: ip + ":7946", rpc: ip + ":7373", env: env, out: &logbook{}}
	s.args = append([]string{path, "agent", "-node=" + name, "-bind=" + s.bind, "-rpc-addr=" + s.rpc, "-profile=local"}, args...)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, s.out)
		}
	})
	for i, a := range s.args {
		if key, ok := strings.CutPrefix(a, "-rpc-auth="); ok { // which only a file can set
			s.key = key
			s.args[i] = "-config-file=" + filepath.Join(t.TempDir(), "serf.json")
			text := fmt.Sprintf(`{"rpc_auth": %q}`, key)
			if err := os.WriteFile(strings.TrimPrefix(s.args[i], "-config-file="), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.start()
	return s
}

// start starts the agent with more arguments than before.
func (s *stock) start(more ...string) {
	s.t.Helper()
	args := append(s.args[1:len(s.args):len(s.args)], more...)
	s.cmd = exec.Command(s.args[0], args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.Env = append(os.Environ(), s.env)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, s.name+" answers", func() bool {
		c, err := Dial(s.t.Context(), s.rpc, Options{AuthKey: s.key})
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// kill ends the agent at once. What it tells by its exit does not matter.
func (s *stock) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// signal sends a signal to the agent.
func (s *stock) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// dial connects to an agent for as long as the test runs.
func dial(t *testing.T, addr string, o Options) *Client {
	t.Helper()
	o.Timeout = cmp.Or(o.Timeout, time.Minute) // a busy machine takes its time
	c, err := Dial(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("it has not come to: %s", what)
}

// listing shows members and their states, "a:alive b:failed".
func listing[M any](ms []M, of func(M) cluster.Member) string {
	var out []string
	for _, m := range ms {
		out = append(out, of(m).Name+":"+string(of(m).Status))
	}
	return strings.Join(out, " ")
}

func listed(ms []Member) string {
	return listing(ms, func(m Member) cluster.Member { return m.Member })
}

// An agent is one that a Client drives.
type agent struct {
	bind, rpc string
	kill      func()
}

func (s *stock) agent() agent { return agent{s.bind, s.rpc, s.kill} }

// startOurs runs a node with our server until the test ends.
func startOurs(t *testing.T, key string, c cluster.Config) agent {
	t.Helper()
	return startOursAt(t, "127.0.0.1:0", key, c)
}

func startOursAt(t *testing.T, addr, key string, c cluster.Config) agent {
	t.Helper()
	book := &logbook{}
	log := logs.New(slog.NewTextHandler(book, nil), 100)
	if c.Bind == "" {
		c.Bind = nextAddress()
	}
	c.Logger = slog.New(log)
	node, err := cluster.Join(clustertest.Fast(c))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(addr, key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var work, left sync.WaitGroup
	server := NewServer(ServerConfig{
		Node: node, AuthKey: key, Logs: log, Logger: c.Logger,
		Leave: func() { left.Go(func() { cancel(nil) }) },
	})
	for _, run := range []func(context.Context) error{
		node.Run, func(ctx context.Context) error { return server.Serve(ctx, ln) },
	} {
		work.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	kill := func() {
		cancel(cluster.ErrStay)
		work.Wait()
		left.Wait()
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", c.Name, book)
		}
	})
	eventually(t, c.Name+" is up", func() bool { return node.View().Settled })
	return agent{node.Info().Bind, ln.Addr().String(), kill}
}

// Every call, against Serf's own agents: Debian's, which is old, and the latest.
func TestClientDrivesStock(t *testing.T) {
	for name, start := range map[string]func(*testing.T, string, ...string) *stock{"Debian's": startStock, "latest": startLatest} {
		t.Run(name, func(t *testing.T) {
			drive(t, start(t, "a", "-rpc-auth=sesame", "-tag", "role=web").agent(), start(t, "b").agent())
		})
	}
}

// And against ours.
func TestClientDrivesOurs(t *testing.T) {
	drive(t, startOurs(t, "sesame", cluster.Config{Name: "a", Tags: map[string]string{"role": "web"}}),
		startOurs(t, "", cluster.Config{Name: "b"}))
}

// drive makes every call of a client: a has the key sesame and the tag role,
// b none.
func drive(t *testing.T, a, b agent) {
	o := Options{AuthKey: "sesame"}
	c, other := dial(t, a.rpc, o), dial(t, b.rpc, Options{})
	ctx := t.Context()

	n, err := c.Join(ctx, []string{b.bind}, false)
	if n != 1 || err != nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
	eventually(t, "both see each other", func() bool {
		ms, err := other.Members(ctx, Filter{})
		return err == nil && listed(ms) == "a:alive b:alive"
	})
	ms, err := c.Members(ctx, Filter{Tags: map[string]string{"role": "w.b"}, Status: "alive", Name: "[abc]"})
	if err != nil || listed(ms) != "a:alive" {
		t.Fatalf("Members = %s, %v", listed(ms), err)
	}
	if m := ms[0]; netip.AddrPortFrom(m.Addr, m.Port).String() != a.bind || m.Tags["role"] != "web" || m.DelegateCur != 5 {
		t.Errorf("a is %+v", m)
	}
	if _, err := c.Members(ctx, Filter{Name: "["}); err == nil || !strings.Contains(err.Error(), "missing closing ]") {
		t.Errorf("a filter that is no expression: %v", err)
	}

	stream, err := other.Stream(ctx, "user:deploy,query")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Event(ctx, "deploy", []byte("v\x00\xff7"), false); err != nil {
		t.Fatal(err)
	}
	e, err := stream.Next(ctx)
	if err != nil || e.Type != cluster.EventUser || e.Name != "deploy" || string(e.Payload) != "v\x00\xff7" || e.LTime == 0 || e.Coalesce {
		t.Fatalf("heard %+v, %v", e, err)
	}
	if err := e.Respond(nil); !errors.Is(err, cluster.ErrNoAnswer) {
		t.Errorf("answering a user event: %v", err)
	}
	if err := c.Event(ctx, "long", make([]byte, 600), false); err == nil || !strings.Contains(err.Error(), "512") {
		t.Errorf("a payload of 600 bytes: %v", err)
	}

	answers, err := c.Query(ctx, cluster.Query{
		Name: "load", Payload: []byte("15m"), Nodes: []string{"b"}, Ack: true, Timeout: 8 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	if e, err = stream.Next(ctx); err != nil || e.Type != cluster.EventQuery || e.Name != "load" || string(e.Payload) != "15m" {
		t.Fatalf("heard %+v, %v", e, err)
	}
	if err := e.Respond([]byte("0.7")); err != nil {
		t.Fatal(err)
	}
	if err := e.Respond([]byte("0.8")); err == nil {
		t.Error("a query was answered twice")
	}
	got := map[string]bool{}
	for {
		answer, err := answers.Next(ctx)
		if err != nil {
			if err.Error() != "EOF" {
				t.Error(err)
			}
			break
		}
		got[fmt.Sprintf("%s %v %s", answer.From, answer.Ack, answer.Payload)] = true
	}
	if len(got) != 2 || !got["b true "] || !got["b false 0.7"] {
		t.Errorf("answers %v", got)
	}
	stream.Close()
	if _, err := stream.Next(ctx); err == nil {
		t.Error("a closed stream goes on")
	}

	if err := c.SetTags(ctx, map[string]string{"tier": "1"}, []string{"role"}); err != nil {
		t.Fatal(err)
	}
	ms, err = c.Members(ctx, Filter{Name: "a"})
	if err != nil || len(ms) != 1 || len(ms[0].Tags) != 1 || ms[0].Tags["tier"] != "1" {
		t.Errorf("tags of a: %v, %v", ms, err)
	}
	stats, err := c.Stats(ctx)
	if err != nil || stats["agent"]["name"] != "a" || stats["serf"]["members"] != "2" {
		t.Errorf("Stats = %v, %v", stats, err)
	}
	if _, err := c.Coordinate(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := c.Coordinate(ctx, "nobody"); !errors.Is(err, ErrNoCoordinate) {
		t.Errorf("the coordinate of nobody: %v", err)
	}
	if _, err := c.ListKeys(ctx); err == nil {
		t.Error("keys of a cluster without encryption were listed")
	}

	lines, err := c.Monitor(ctx, "debug")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := lines.Next(ctx); err != nil || !strings.Contains(line, "[INFO] ") {
		t.Errorf("log line %q, %v", line, err)
	}
	if _, err := c.Monitor(ctx, "debug"); err == nil || !strings.Contains(err.Error(), "Monitor already exists") {
		t.Errorf("a second monitor: %v", err)
	}
	lines.Close()
	if _, err := c.Stream(ctx, "member-gone"); err == nil || !strings.Contains(err.Error(), "names no type") {
		t.Errorf("a wrong filter: %v", err)
	}

	b.kill()
	eventually(t, "b has failed", func() bool {
		ms, err := c.Members(ctx, Filter{})
		return err == nil && listed(ms) == "a:alive b:failed"
	})
	if err := c.ForceLeave(ctx, "b", false); err != nil {
		t.Fatal(err)
	}
	if ms, err = c.Members(ctx, Filter{Name: "b"}); err != nil || listed(ms) != "b:left" {
		t.Errorf("after a forced leave: %s, %v", listed(ms), err)
	}
	if err := c.ForceLeave(ctx, "b", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is forgotten", func() bool {
		ms, err := c.Members(ctx, Filter{})
		return err == nil && listed(ms) == "a:alive"
	})
	if err := c.Leave(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		t.Error("the agent has left, but the connection has not ended")
	}
	if _, err := c.Stats(ctx); err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("a request to an agent that has left: %v", err)
	}
}

// allAnswer asks again where somebody gave no answer in time: a busy machine
// is slower than Serf's query lasts.
func allAnswer(ask func() (cluster.KeyReport, error)) (r cluster.KeyReport, err error) {
	for range 10 {
		if r, err = ask(); r.Nodes > 0 && r.Answered == r.Nodes {
			break
		}
	}
	return r, err
}

// Keys go round through Serf's own agents.
func TestClientKeysOfStock(t *testing.T) {
	const one, two = "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=", "T9jncgl9mbLus+baTTa7q7nPSUrXwbDi2dhbtqir37s="
	a := startStock(t, "a", "-encrypt="+one)
	b := startStock(t, "b", "-encrypt="+one, "-join="+a.bind)
	_ = b
	c := dial(t, a.rpc, Options{})
	ctx := t.Context()
	for _, step := range []struct {
		name string
		do   func() (cluster.KeyReport, error)
	}{
		{"install", func() (cluster.KeyReport, error) { return c.InstallKey(ctx, two) }},
		{"use", func() (cluster.KeyReport, error) { return c.UseKey(ctx, two) }},
		{"remove", func() (cluster.KeyReport, error) { return c.RemoveKey(ctx, one) }},
	} {
		if r, err := allAnswer(step.do); err != nil || r.Nodes != 2 || r.Failed != 0 {
			t.Fatalf("%s: %+v, %v", step.name, r, err)
		}
	}
	r, err := allAnswer(func() (cluster.KeyReport, error) { return c.ListKeys(ctx) })
	if err != nil || len(r.Keys) != 1 || r.Keys[two] != 2 {
		t.Errorf("ListKeys = %+v, %v", r, err)
	}
	r, err = allAnswer(func() (cluster.KeyReport, error) { return c.RemoveKey(ctx, two) }) // all encrypt with it
	if err == nil || r.Nodes != 2 || r.Failed != 2 || r.Messages["b"] == "" {
		t.Errorf("removing the key in use: %+v, %v", r, err)
	}
}
