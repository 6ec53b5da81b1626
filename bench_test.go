package muster_test

import (
	"bytes"
	"fmt"
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
	agent    *exec.Cmd
	dir      string
}

// The addresses of the agents; one benchmark runs at a time.
const crowdAddr = "127.99.0.1"

// newCrowd starts an agent with rules among n members, of whom member i has
// the role "r<i mod roles>". It waits until the last rule's file is there.
func newCrowd(b *testing.B, n, roles int) *crowd {
	b.Helper()
	c := &crowd{b: b, dir: b.TempDir()}
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
	c.write("muster.hcl", "cluster {\n  profile = \"local\"\n  reconnect_interval = \"1h\"\n}\n")
	var rules strings.Builder
	for r := range roles {
		fmt.Fprintf(&rules, `
rule "r%d" {
  members { tags = { role = "r%d" } }
  template {
    source      = "nginx-upstream"
    destination = %q
    vars        = { upstream = "r%d", port = 8080 }
  }
  wait = "0s"
}
`, r, r, c.file(r), r)
	}
	c.write("rules/rules.hcl", rules.String())
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
	for r := range roles {
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
		if err == nil && bytes.Count(got, []byte("    server ")) == n && bytes.Contains(got, text) {
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

// BenchmarkEventToFile is one member's new address, from the packet that says
// so to the bytes in place, for one rule with no wait.
func BenchmarkEventToFile(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { newCrowd(b, n, 1).changes() })
	}
}

// BenchmarkOneRuleOfMany is the same with 10,000 members, of which each rule
// has a hundredth: with all the hundred rules, and with only one.
func BenchmarkOneRuleOfMany(b *testing.B) {
	b.Run("rules=100", func(b *testing.B) { newCrowd(b, 10_000, 100).changes() })
}

// changes makes one change after another and reports what they cost.
func (c *crowd) changes() {
	b := c.b
	time.Sleep(2 * time.Second) // what the joining left behind
	var took []time.Duration
	var cpu time.Duration
	i := 0
	for b.Loop() {
		m := &c.members[(i*7)%len(c.members)]
		i++
		role, _ := strconv.Atoi(m.Tags["role"][1:])
		a := m.Addr.As4()
		tags := map[string]string{}
		for k, v := range m.Tags {
			tags[k] = v
		}
		tags["port"] = fmt.Sprint(10_000 + i)
		m.Tags = tags
		want := fmt.Appendf(nil, "server %d.%d.%d.%d:%d", a[0], a[1], a[2], a[3], 10_000+i)
		servers := bytes.Count(c.content(role), []byte("    server "))
		c.rest()
		before, start := c.cpu(), time.Now()
		if err := c.universe.Set(*m); err != nil {
			b.Fatal(err)
		}
		c.waitFor(role, servers, want)
		took = append(took, time.Since(start))
		c.rest()
		cpu += c.cpu() - before
	}
	slices.Sort(took)
	idle, start := c.cpu(), time.Now()
	time.Sleep(5 * time.Second)
	share := float64(c.cpu()-idle) / float64(time.Since(start))
	b.ReportMetric(0, "ns/op") // it is mostly rest
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*9/10].Microseconds())/1000, "p90-ms")
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(len(took)), "cpu-ms")
	b.ReportMetric(100*share, "idle-%")
	b.ReportMetric(c.rss(), "rss-MB")
}

func (c *crowd) content(rule int) []byte {
	got, err := os.ReadFile(c.file(rule))
	if err != nil {
		c.b.Fatal(err)
	}
	return got
}
