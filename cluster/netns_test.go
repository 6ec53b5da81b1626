package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// hosts are network namespaces, which the tests of this file take for hosts.
// Host i, from 1, is called NAME-i. They are gone when the test ends.
type hosts struct {
	t    *testing.T
	name string
}

// newHosts makes n of them and one more in their middle, all with the
// interface "eth" up.
func newHosts(t *testing.T, n int) *hosts {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs root and iproute2")
		}
		t.Skip("SKIPPED: this test needs root, for network namespaces, and iproute2")
	}
	h := &hosts{t: t, name: fmt.Sprintf("muster-%d-%s", os.Getpid(), strings.ToLower(strings.ReplaceAll(t.Name()[4:], "/", "-")))}
	add := func(name string) {
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		h.ip("netns add %s", name)
		h.ip("-n %s link set lo up", name)
	}
	add(h.middle())
	for i := 1; i <= n; i++ {
		add(h.host(i))
		h.ip("link add eth netns %s type veth peer name port%d netns %s", h.host(i), i, h.middle())
		h.ip("-n %s link set eth up", h.host(i))
		h.ip("-n %s link set port%d up", h.middle(), i)
	}
	return h
}

func (h *hosts) host(i int) string { return fmt.Sprintf("%s-%d", h.name, i) }
func (h *hosts) middle() string    { return h.name + "-0" }

// ip runs iproute2.
func (h *hosts) ip(format string, args ...any) {
	h.t.Helper()
	argv := strings.Fields(fmt.Sprintf(format, args...))
	if out, err := exec.Command("ip", argv...).CombinedOutput(); err != nil {
		h.t.Fatalf("ip %s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// command makes a command that runs on host i, and is killed with the test.
func (h *hosts) command(i int, argv ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", h.host(i)}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// elsewhere is the variable that makes this test program a node: its value is
// the configuration as JSON.
const elsewhere = "MUSTER_TEST_NODE"

// A report is what a node elsewhere prints, a line each time something is new.
type report struct {
	Members string // as describe has them
	Settled bool
	Info    cluster.Info
}

// runElsewhere runs a node until its input ends or a signal comes.
func runElsewhere(config string) int {
	var c cluster.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n, err := cluster.Join(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		out, last := json.NewEncoder(os.Stdout), ""
		for {
			select {
			case <-n.Changed():
			case <-time.After(100 * time.Millisecond):
			}
			r := report{Members: describe(n.View()), Settled: n.View().Settled, Info: n.Info()}
			if text := fmt.Sprint(r); text != last {
				last = text
				_ = out.Encode(r) // the test may be gone
			}
		}
	}()
	if err := n.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A distant is a node that runs elsewhere.
type distant struct {
	t    *testing.T
	name string
	log  logbook
	stop func()

	mu   sync.Mutex
	last report
}

// start runs a node on host i until the test ends.
func (h *hosts) start(i int, c cluster.Config) *distant {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	config, err := json.Marshal(clustertest.Fast(c))
	if err != nil {
		h.t.Fatal(err)
	}
	d := &distant{t: h.t, name: c.Name}
	cmd := h.command(i, self)
	cmd.Env = append(os.Environ(), elsewhere+"="+string(config))
	cmd.Stderr = &d.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := json.NewDecoder(out); ; {
			var r report
			if lines.Decode(&r) != nil {
				return
			}
			d.mu.Lock()
			d.last = r
			d.mu.Unlock()
		}
	})
	d.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		killer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer killer.Stop()
		reading.Wait()
		if err := cmd.Wait(); err != nil {
			h.t.Errorf("node %s: %v", d.name, err)
		}
	})
	h.t.Cleanup(func() {
		d.stop()
		if h.t.Failed() {
			h.t.Logf("log of %s:\n%s", d.name, &d.log)
		}
	})
	return d
}

// report returns the latest.
func (d *distant) report() report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// wait waits until the node's report is as ok wants it.
func (d *distant) wait(what string, ok func(report) bool) report {
	d.t.Helper()
	var last report
	for range 1200 {
		if last = d.report(); ok(last) {
			return last
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatalf("%s has not come to: %s; it reports %+v", d.name, what, last)
	return last
}

func (d *distant) waitFor(want string) {
	d.t.Helper()
	d.wait(want, func(r report) bool { return r.Settled && r.Members == want })
}

// bridged joins the hosts by a bridge; host i has the address 10.99.0.i.
func bridged(t *testing.T, n int) *hosts {
	t.Helper()
	h := newHosts(t, n)
	h.ip("-n %s link add bridge type bridge mcast_snooping 0", h.middle())
	h.ip("-n %s link set bridge up", h.middle())
	for i := 1; i <= n; i++ {
		h.ip("-n %s link set port%d master bridge", h.middle(), i)
		h.ip("-n %s addr add 10.99.0.%d/24 dev eth", h.host(i), i)
		h.ip("-n %s route add 224.0.0.0/4 dev eth", h.host(i))
	}
	return h
}

// Nodes that know no address find each other, and Serf's agent, by the
// cluster's name alone; others on the same wire are none of theirs.
func TestDiscover(t *testing.T) {
	serf, err := exec.LookPath("serf")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs serf")
	}
	t.Parallel()
	h := bridged(t, 3)
	a := h.start(1, cluster.Config{Name: "a", Bind: "10.99.0.1", Discover: "farm"})
	a.waitFor("a:alive") // it is the first: it has looked, and found nobody
	b := h.start(2, cluster.Config{Name: "b", Bind: "10.99.0.2", Discover: "farm"})
	h.start(2, cluster.Config{Name: "stranger", Bind: "10.99.0.2:8000", Discover: "other"}).waitFor("stranger:alive")
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
	if i := a.report().Info; i.Discover != "farm" || i.DiscoverError != "" {
		t.Errorf("info %+v", i)
	}
	if serf == "" {
		t.Log("SKIPPED the rest: it needs serf")
		return
	}
	// Serf's agent, whichever comes first.
	agent := func(i int, name string) (stop func()) {
		cmd := h.command(i, serf, "agent", "-node", name, "-bind", fmt.Sprintf("10.99.0.%d", i), "-rpc-addr", "127.0.0.1:7373",
			"-discover", "farm", "-profile", "local", "-iface", "eth")
		log := &logbook{}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop = sync.OnceFunc(func() {
			_ = cmd.Process.Signal(syscall.SIGINT)
			killer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait() // Serf ends as it likes
			killer.Stop()
			if t.Failed() {
				t.Logf("log of %s:\n%s", name, log)
			}
		})
		t.Cleanup(stop)
		return stop
	}
	stop := agent(3, "serf")
	a.waitFor("a:alive b:alive serf:alive")
	b.stop()
	a.waitFor("a:alive b:left serf:alive")
	a.stop()
	c := h.start(1, cluster.Config{Name: "c", Bind: "10.99.0.1", Discover: "farm"})
	c.wait("serf", func(r report) bool {
		return r.Settled && strings.Contains(r.Members, "c:alive serf:alive")
	})
	stop()
}

// Two that found nobody when the wire was cut are one cluster when it is not.
func TestDiscoverLater(t *testing.T) {
	t.Parallel()
	h := bridged(t, 2)
	h.ip("-n %s link set port2 down", h.middle())
	a := h.start(1, cluster.Config{Name: "a", Bind: "10.99.0.1", Discover: "farm"})
	b := h.start(2, cluster.Config{Name: "b", Bind: "10.99.0.2", Discover: "farm"})
	a.waitFor("a:alive")
	b.waitFor("b:alive")
	h.ip("-n %s link set port2 up", h.middle())
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
}

// Without multicast it says so, once, and goes on when there is.
func TestDiscoverWithoutRoute(t *testing.T) {
	t.Parallel()
	h := bridged(t, 2)
	h.ip("-n %s route del 224.0.0.0/4 dev eth", h.host(1))
	mdns := cluster.MDNS{DisableIPv6: true} // which needs no route on one wire
	a := h.start(1, cluster.Config{Name: "a", Bind: "10.99.0.1", Discover: "farm", MDNS: mdns})
	r := a.wait("a problem", func(r report) bool { return r.Info.DiscoverError != "" })
	if !strings.Contains(r.Info.DiscoverError, "ip route add 224.0.0.0/4") || r.Settled {
		t.Errorf("report %+v", r)
	}
	b := h.start(2, cluster.Config{Name: "b", Bind: "10.99.0.2", Discover: "farm", MDNS: mdns})
	h.ip("-n %s route add 224.0.0.0/4 dev eth", h.host(1))
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
	a.wait("no problem", func(r report) bool { return r.Info.DiscoverError == "" })
	if n := a.log.count("cannot look for others"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// routed joins the hosts by a router; host i has the address 10.99.i.2.
func routed(t *testing.T, n int) *hosts {
	t.Helper()
	h := newHosts(t, n)
	for i := 1; i <= n; i++ {
		h.ip("-n %s addr add 10.99.%d.1/24 dev port%d", h.middle(), i, i)
		h.ip("-n %s addr add 10.99.%d.2/24 dev eth", h.host(i), i)
		h.ip("-n %s route add default via 10.99.%d.1", h.host(i), i)
	}
	h.ip("netns exec %s sysctl -q -w net.ipv4.ip_forward=1", h.middle())
	return h
}

// refuse lets host i itself refuse to send what it would send to host j.
func (h *hosts) refuse(i, j int, what string) (pass func()) {
	h.t.Helper()
	h.ip("-n %s rule add to 10.99.%d.2 %s prohibit", h.host(i), j, what)
	return func() { h.t.Helper(); h.ip("-n %s rule del to 10.99.%d.2 %s prohibit", h.host(i), j, what) }
}

// drop lets the router drop packets between hosts i and j; "ipproto udp" are
// those of UDP. It returns how to let them pass again.
func (h *hosts) drop(i, j int, what string) (pass func()) {
	h.t.Helper()
	rule := func(verb string) {
		h.t.Helper()
		h.ip("-n %s rule %s from 10.99.%d.2 to 10.99.%d.2 %s blackhole", h.middle(), verb, i, j, what)
		h.ip("-n %s rule %s from 10.99.%d.2 to 10.99.%d.2 %s blackhole", h.middle(), verb, j, i, what)
	}
	rule("add")
	return func() { h.t.Helper(); rule("del") }
}

func unreachable(r report) (names []string) {
	for _, u := range r.Info.Unreachable {
		names = append(names, u.Name)
	}
	return names
}

// UDP is blocked between two nodes: both stay alive, for TCP gets through or a
// third node helps, and each says that it does not reach the other.
func TestUDPBlocked(t *testing.T) {
	for _, c := range []struct {
		name  string
		block func(*hosts, int, int, string) func()
		what  string // is blocked between a and b
		third bool   // there is a third node, which reaches both
		why   string
	}{
		{"two", (*hosts).drop, "ipproto udp", false, "it answers over TCP but not over UDP: let UDP port 7946 through, both ways"},
		{"three", (*hosts).drop, "ipproto udp", true, "it answers over TCP but not over UDP: let UDP port 7946 through, both ways"},
		{"here", (*hosts).refuse, "ipproto udp", true, "it answers over TCP but not over UDP: let UDP port 7946 through, both ways"},
		{"all", (*hosts).drop, "", true, "only others reach it, this node neither over UDP nor TCP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := routed(t, 3)
			a := h.start(1, cluster.Config{Name: "a", Bind: "10.99.1.2"})
			b := h.start(2, cluster.Config{Name: "b", Bind: "10.99.2.2", Join: []string{"10.99.1.2"}})
			all := "a:alive b:alive"
			if c.third {
				all += " c:alive"
				h.start(3, cluster.Config{Name: "c", Bind: "10.99.3.2", Join: []string{"10.99.1.2", "10.99.2.2"}}).waitFor(all)
			}
			a.waitFor(all)
			b.waitFor(all)
			if u := a.report().Info.Unreachable; len(u) > 0 {
				t.Errorf("unreachable before: %+v", u)
			}
			pass := c.block(h, 1, 2, c.what)
			for d, other := range map[*distant]string{a: "b", b: "a"} {
				r := d.wait("the other is unreachable, and alive", func(r report) bool {
					return slices.Equal(unreachable(r), []string{other}) && r.Members == all
				})
				if u := r.Info.Unreachable[0]; !strings.HasPrefix(u.Why, c.why) || u.Count < 3 || u.Since.IsZero() || u.Last.Before(u.Since) {
					t.Errorf("%s reports %+v", d.name, u)
				}
				first := r.Info.Unreachable[0].Count
				d.wait("more lost", func(r report) bool { return len(r.Info.Unreachable) == 1 && r.Info.Unreachable[0].Count > first+2 })
			}
			pass()
			for _, d := range []*distant{a, b} {
				d.wait("all well", func(r report) bool { return len(r.Info.Unreachable) == 0 && r.Members == all })
				// Once; and again if a starved machine took it for failed meanwhile.
				if n := d.log.count("is alive but does not answer"); n < 1 || n > 1+d.log.count("EventMemberFailed") {
					t.Errorf("%s logged it %d times", d.name, n)
				}
				if !d.log.has("answers over UDP again") || d.log.has("network may be misconfigured") {
					t.Errorf("log of %s:\n%s", d.name, &d.log)
				}
			}
		})
	}
}
