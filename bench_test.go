package muster_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// The benchmarks of this file measure the built binary as a whole: a real
// process that has joined simulated members over real sockets.

// A crowd is a muster process among simulated members.
type crowd struct {
	b        *testing.B
	universe *clustertest.Universe
	members  []cluster.Member
	rules    int
	agent    *exec.Cmd
	dir      string
}

// The addresses of the agents; one benchmark runs at a time.
const crowdAddr = "127.99.0.1"

// newCrowd starts an agent among n members, of whom member i has the role
// "r<i mod roles>", with a rule for each of the first so many roles. It waits
// until every rule's file is there.
func newCrowd(b *testing.B, n, roles, rules int, more string) *crowd {
	b.Helper()
	c := &crowd{b: b, dir: b.TempDir(), rules: rules}
	universe, err := clustertest.NewUniverse(0)
	if err != nil {
		b.Fatal(err)
	}
	c.universe = universe
	b.Cleanup(universe.Close)
	c.members = clustertest.Members("member", n, nil)
	for i := range c.members {
		c.members[i].Tags = map[string]string{
			"role": fmt.Sprintf("r%d", i%roles), "dc": "dc1", "rack": fmt.Sprint(i % 40), "version": "1.2.3", "weight": "10",
		}
	}
	if err := universe.Set(c.members...); err != nil {
		b.Fatal(err)
	}
	c.write("muster.hcl", "cluster {\n  reconnect_interval = \"1h\"\n}\n")
	var text strings.Builder
	for r := range rules {
		fmt.Fprintf(&text, `
rule "r%d" {
  members { tags = { role = "r%d" } }
  template {
    source      = "nginx-upstream"
    destination = %q
    vars        = { upstream = "r%d", port = 8080 }
  }
  %s
}
`, r, r, c.file(r), r, strings.ReplaceAll(more, "DIR", c.dir))
	}
	c.write("rules/rules.hcl", text.String())
	c.agent = exec.Command("muster", "agent", "--config", c.path("muster.hcl"), "--node", "agent", "--bind", crowdAddr,
		"--join", universe.Seed(), "--rules", c.path("rules"), "--state", c.path("state"), "--socket", c.path("api.sock"), "--log-level", "warn")
	var log bytes.Buffer
	c.agent.Stderr = &log
	if err := c.agent.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.agent.Process.Kill()
		_ = c.agent.Wait()
		if b.Failed() {
			b.Logf("the agent's log:\n%s", &log)
		}
	})
	for r := range rules {
		c.waitFor(r, (n-r+roles-1)/roles, nil)
	}
	return c
}

func (c *crowd) path(name string) string { return filepath.Join(c.dir, name) }
func (c *crowd) file(rule int) string    { return c.path(fmt.Sprintf("r%d.conf", rule)) }

func (c *crowd) write(name, text string) {
	c.b.Helper()
	if err := os.MkdirAll(filepath.Dir(c.path(name)), 0o755); err != nil {
		c.b.Fatal(err)
	}
	if err := os.WriteFile(c.path(name), []byte(text), 0o644); err != nil {
		c.b.Fatal(err)
	}
}

// waitFor waits until a rule's file has n servers and, if given, the text.
func (c *crowd) waitFor(rule, n int, text []byte) {
	c.b.Helper()
	var seen os.FileInfo
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		info, err := os.Stat(c.file(rule))
		if err != nil || seen != nil && os.SameFile(seen, info) {
			continue
		}
		seen = info
		got, err := os.ReadFile(c.file(rule))
		if err == nil && bytes.Count(got, server) == n && bytes.Contains(got, text) {
			return
		}
	}
	c.b.Fatalf("rule %d's file is still not as it should be", rule)
}

// cpu is what the agent has used so far: the scheduler's own count, in
// nanoseconds (proc_pid_schedstat), of all its threads.
func (c *crowd) cpu() time.Duration {
	c.b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.agent.Process.Pid))
	if err != nil {
		c.b.Fatal(err)
	}
	var sum int64
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			c.b.Fatal(err)
		}
		sum += ns
	}
	return time.Duration(sum)
}

// rss is the agent's resident memory, in MB.
func (c *crowd) rss() float64 {
	c.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.agent.Process.Pid))
	if err != nil {
		c.b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				c.b.Fatal(err)
			}
			return kb / 1024
		}
	}
	c.b.Fatal("no VmRSS")
	return 0
}

// rest lets what an earlier change caused come to its end.
func (c *crowd) rest() { time.Sleep(150 * time.Millisecond) }

const noWait = `wait = "0s"`

// BenchmarkEventToFile is one member's new port, from the packet that says so
// to the bytes in place, for one rule about all members, with no wait.
func BenchmarkEventToFile(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { newCrowd(b, n, 1, 1, noWait).changes() })
	}
}

// BenchmarkOneRuleOfMany is the same with 10,000 members of whom a rule has a
// hundredth: with that rule alone, and with 99 more that are not affected.
func BenchmarkOneRuleOfMany(b *testing.B) {
	for _, rules := range []int{1, 100} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) { newCrowd(b, 10_000, 100, rules, noWait).changes() })
	}
}

// changes makes one change after another, to members that a rule is about,
// and reports what one costs beyond what the agent uses at rest.
func (c *crowd) changes() {
	b := c.b
	idle := c.idle()
	var took []time.Duration
	var cpu, passed time.Duration
	for i := 0; b.Loop(); i++ {
		at := (i * 700) % len(c.members) // a hundredth has role 0
		at += i % c.rules
		m := &c.members[at]
		m.Tags = maps.Clone(m.Tags)
		m.Tags["port"] = fmt.Sprint(10_000 + i)
		role, err := strconv.Atoi(m.Tags["role"][1:])
		if err != nil {
			b.Fatal(err)
		}
		servers := bytes.Count(c.content(role), server)
		before, start := c.cpu(), time.Now()
		if err := c.universe.Set(*m); err != nil {
			b.Fatal(err)
		}
		c.waitFor(role, servers, fmt.Appendf(nil, "%s%s:%d", server, m.Addr, 10_000+i))
		took = append(took, time.Since(start))
		c.rest()
		cpu += c.cpu() - before
		passed += time.Since(start)
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op") // it is mostly rest
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*9/10]), "p90-ms")
	b.ReportMetric(ms(cpu-time.Duration(idle*float64(passed)))/float64(len(took)), "cpu-ms/change")
	b.ReportMetric(100*idle, "idle-%")
	b.ReportMetric(c.rss(), "rss-MB")
}

// server is how a line of a member begins.
var server = []byte("    server ")

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// idle is the share of a core that the agent uses when nothing happens, once
// the messages about the joining have gone round.
func (c *crowd) idle() float64 {
	time.Sleep(20 * time.Second)
	before, start := c.cpu(), time.Now()
	time.Sleep(10 * time.Second)
	return float64(c.cpu()-before) / float64(time.Since(start))
}

// BenchmarkIdle is a membership of 10,000 at rest, two minutes after the agent
// joined it, when the messages about that have gone round for good.
func BenchmarkIdle(b *testing.B) {
	c := newCrowd(b, 10_000, 1, 1, noWait)
	for b.Loop() {
		time.Sleep(100 * time.Second)
		b.ReportMetric(100*c.idle(), "idle-%")
		b.ReportMetric(c.rss(), "rss-MB")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBurst is a hundred joins at once into a cluster of a thousand, with
// the default wait: what they cost until the file is right, how often it was
// written, and how often the service was reloaded.
func BenchmarkBurst(b *testing.B) {
	c := newCrowd(b, 1_000, 1, 1, `reload = ["/bin/sh", "-c", "echo reloaded >> DIR/reloads"]`)
	idle := c.idle()
	var cpu, passed time.Duration
	before := c.reloads()
	for i := 0; b.Loop(); i++ {
		newcomers := clustertest.Members(fmt.Sprintf("burst%d", i), 100, map[string]string{"role": "r0"})
		used, start := c.cpu(), time.Now()
		for half := range slices.Chunk(newcomers, 50) {
			if err := c.universe.Set(half...); err != nil {
				b.Fatal(err)
			}
		}
		c.waitFor(0, 1_000+100*(i+1), nil)
		time.Sleep(500 * time.Millisecond)
		cpu += c.cpu() - used
		passed += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(cpu-time.Duration(idle*float64(passed)))/float64(b.N), "cpu-ms/burst")
	b.ReportMetric(float64(c.reloads()-before)/float64(b.N), "reloads/burst")
}

// reloads counts the reloads so far; each follows one write.
func (c *crowd) reloads() int {
	log, err := os.ReadFile(c.path("reloads"))
	if err != nil {
		c.b.Fatal(err)
	}
	return bytes.Count(log, []byte("\n"))
}

func (c *crowd) content(rule int) []byte {
	got, err := os.ReadFile(c.file(rule))
	if err != nil {
		c.b.Fatal(err)
	}
	return got
}
