package doctor

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/nodes"
)

// lines are findings in short: level, check, and the text if asked for.
func lines(fs Findings) (out []string) {
	for _, f := range fs {
		out = append(out, string(f.Level)+" "+f.Check)
	}
	return out
}

// remedied fails for a problem or a warning without a remedy.
func remedied(t *testing.T, fs Findings) {
	t.Helper()
	for _, f := range fs {
		if bad := f.Level == Problem || f.Level == Warning; bad != (f.Remedy != "") {
			t.Errorf("the remedy of %+v", f)
		}
	}
}

// What each outcome of a probe means.
func TestWay(t *testing.T) {
	to := netip.MustParseAddrPort("10.0.0.2:7946")
	seen := func(name, at string, status cluster.Status) cluster.Member {
		p := netip.MustParseAddrPort(at)
		return cluster.Member{Name: name, Addr: p.Addr(), Port: p.Port(), Status: status}
	}
	there := seen("b", "10.0.0.2:7946", cluster.Alive)
	leg := func(w cluster.Way) cluster.Leg { return cluster.Leg{Way: w, Err: string(w)} }
	open := leg(cluster.Open)
	for _, c := range []struct {
		name    string
		p       cluster.Probe
		running bool
		want    []string
	}{
		{"well", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{there}}, false, []string{"ok tcp", "ok udp", "ok packets", "ok key", "ok peer"}},
		{"UDP blocked", cluster.Probe{TCP: open, UDP: leg(cluster.Silent), Key: cluster.KeySame}, false, []string{"ok tcp", "problem udp", "ok key"}},
		{"UDP rejected", cluster.Probe{TCP: open, UDP: leg(cluster.Refused), Key: cluster.KeySame}, true, []string{"ok tcp", "problem udp", "ok key"}},
		{"TCP blocked", cluster.Probe{TCP: leg(cluster.Silent), UDP: open, Large: open, Key: cluster.KeySame}, false, []string{"problem tcp", "ok udp", "ok packets", "ok key"}},
		{"TCP rejected", cluster.Probe{TCP: leg(cluster.Refused), UDP: open, Large: open, Key: cluster.KeySame}, false, []string{"problem tcp", "ok udp", "ok packets", "ok key"}},
		{"both blocked", cluster.Probe{TCP: leg(cluster.Silent), UDP: leg(cluster.Silent)}, false, []string{"problem way"}},
		{"nobody", cluster.Probe{TCP: leg(cluster.Refused), UDP: leg(cluster.Refused)}, false, []string{"problem way"}},
		{"no route", cluster.Probe{TCP: leg(cluster.Barred), UDP: leg(cluster.Silent)}, false, []string{"problem way"}},
		{"half refused", cluster.Probe{TCP: leg(cluster.Refused), UDP: leg(cluster.Silent)}, false, []string{"problem way"}},
		{"a tunnel", cluster.Probe{TCP: open, UDP: open, Large: leg(cluster.Silent), Key: cluster.KeySame, Seen: []cluster.Member{there}}, false, []string{"ok tcp", "ok udp", "problem packets", "ok key", "ok peer"}},
		{"another program", cluster.Probe{TCP: leg(cluster.Foreign), UDP: leg(cluster.Refused)}, false, []string{"problem tcp", "skipped udp"}},
		{"stuck", cluster.Probe{TCP: leg(cluster.Mute), UDP: leg(cluster.Silent)}, false, []string{"problem tcp", "skipped udp"}},
		{"another key", cluster.Probe{TCP: open, UDP: leg(cluster.Silent), Key: cluster.KeyDiffers}, false, []string{"ok tcp", "skipped udp", "problem key"}},
		{"a key there", cluster.Probe{TCP: open, UDP: leg(cluster.Silent), Key: cluster.KeyThere}, false, []string{"ok tcp", "skipped udp", "problem key"}},
		{"a key here", cluster.Probe{TCP: open, UDP: leg(cluster.Silent), Key: cluster.KeyHere}, false, []string{"ok tcp", "skipped udp", "problem key"}},
		{"a new key", cluster.Probe{TCP: open, UDP: leg(cluster.Silent), Key: cluster.KeyBehind}, false, []string{"ok tcp", "skipped udp", "problem key"}},
		{"the name is taken", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{seen("a", "10.0.0.9:7946", cluster.Alive), there}}, false,
			[]string{"ok tcp", "ok udp", "ok packets", "ok key", "problem peer"}},
		{"two of a name", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{seen("a", "10.0.0.9:7946", cluster.Alive), there}}, true,
			[]string{"ok tcp", "ok udp", "ok packets", "ok key", "problem peer"}},
		{"it is known", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{seen("a", "10.0.0.1:7946", cluster.Alive), there}}, true,
			[]string{"ok tcp", "ok udp", "ok packets", "ok key", "ok peer"}},
		{"taken for failed", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{seen("a", "10.0.0.1:7946", cluster.Failed), there}}, true,
			[]string{"ok tcp", "ok udp", "ok packets", "ok key", "problem peer"}},
		{"translated", cluster.Probe{TCP: open, UDP: open, Large: open, Key: cluster.KeySame, Seen: []cluster.Member{seen("b", "192.168.0.2:7946", cluster.Alive)}}, false,
			[]string{"ok tcp", "ok udp", "ok packets", "ok key", "warning peer"}},
	} {
		c.p.Addr = to
		e := &examination{own: netip.MustParseAddrPort("10.0.0.1:7946")}
		e.Config.Config.Cluster.Name = "a"
		if c.running {
			e.status = &agent.Status{}
			e.status.Node.Name = "a"
		}
		got := e.judge(target{"", to.String()}, c.p)
		if diff := cmp.Diff(c.want, lines(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%+v", c.name, diff, got)
		}
		remedied(t, got)
	}
}

func TestClocks(t *testing.T) {
	clock := func(offset, wrong time.Duration) *nodes.Clock { return &nodes.Clock{Offset: offset, Error: wrong} }
	for _, c := range []struct {
		clock *nodes.Clock
		want  string
	}{
		{nil, "skipped clock"},
		{clock(100*time.Millisecond, 50*time.Millisecond), "ok clock"},
		{clock(-3*time.Second, 4*time.Second), "ok clock"}, // as far as can be told
		{clock(3*time.Second, 500*time.Millisecond), "warning clock"},
		{clock(-40*time.Second, time.Second), "warning clock"},
		{clock(61*time.Second, 100*time.Millisecond), "problem clock"},
		{clock(-time.Hour, time.Second), "problem clock"},
	} {
		r := report{check: "clock"}
		found := r.compare(nodes.Report{Self: "a", Nodes: []nodes.Node{{Name: "a", Clock: clock(time.Hour, 0)}, {Name: "b", Clock: c.clock}}}, 5*time.Minute)
		if got := lines(found); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%+v: %q, want %q", c.clock, got, c.want)
		}
		remedied(t, found)
	}
}

func TestUnit(t *testing.T) {
	running := map[string]string{"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "NRestarts": "0", "WatchdogUSec": "30s"}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range running {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	for _, c := range []struct {
		unit   map[string]string
		agent  bool
		level  Level
		saying string
	}{
		{running, true, OK, "watchdog 30s"},
		{running, false, Problem, "no agent answers"},
		{with("LoadState", "not-found"), false, Skipped, "no unit"},
		{with("ActiveState", "failed"), false, Problem, "failed"},
		{with("ActiveState", "inactive"), false, Warning, "inactive"},
		{with("UnitFileState", "disabled"), true, Warning, "boot"},
		{with("NRestarts", "7"), true, Warning, "7 times"},
		{with("WatchdogUSec", "0"), true, Warning, "without a watchdog"},
		{with("Id", "muster-unprivileged.service"), true, OK, "muster-unprivileged.service is active"},
	} {
		e := &examination{}
		e.Unit = func(context.Context) (map[string]string, error) { return c.unit, nil }
		if c.agent {
			e.status = &agent.Status{}
		}
		found := e.unit(t.Context())
		if len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Text, c.saying) {
			t.Errorf("%v: %+v", c.unit, found)
		}
		remedied(t, found)
	}
}

// The keys are counted, and none is shown.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		report cluster.KeyReport
		err    error
		want   []string
	}{
		{cluster.KeyReport{Nodes: 3, Answered: 3, Keys: map[string]int{"SECRET": 3}, Primary: map[string]int{"SECRET": 3}}, nil, []string{"ok keys"}},
		{cluster.KeyReport{Nodes: 3, Answered: 3, Keys: map[string]int{"SECRET": 3, "SECRET2": 2}, Primary: map[string]int{"SECRET": 3}}, nil, []string{"warning keys"}},
		{cluster.KeyReport{Nodes: 3, Answered: 3, Keys: map[string]int{"SECRET": 3, "SECRET2": 3}, Primary: map[string]int{"SECRET": 1, "SECRET2": 2}}, nil, []string{"warning keys"}},
		{cluster.KeyReport{Nodes: 3, Answered: 2, Keys: map[string]int{"SECRET": 2}, Primary: map[string]int{"SECRET": 2}}, nil, []string{"warning keys"}},
		{cluster.KeyReport{}, errors.New("no RPC"), []string{"skipped keys"}},
	} {
		e := &examination{status: &agent.Status{}}
		e.status.Node.Encrypted = true
		e.Keys = func(context.Context) (cluster.KeyReport, error) { return c.report, c.err }
		found := e.keys(t.Context())
		if diff := cmp.Diff(c.want, lines(found)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.report, diff)
		}
		for _, f := range found {
			if strings.Contains(f.Text+f.Remedy, "SECRET") {
				t.Errorf("a key is shown: %+v", f)
			}
		}
		remedied(t, found)
	}
}

// What another user's process may write.
func TestMayWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: this test needs root, to give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1001, 1002); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode        os.FileMode
		uid, member int
		want        bool
	}{
		{0o755, 1001, 0, true}, {0o555, 1001, 0, false}, {0o775, 5, 1002, true}, {0o755, 5, 1002, false},
		{0o757, 5, 6, true}, {0o755, 5, 6, false}, {0o770, 5, 6, false},
	} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		p := process{pid: 1 << 30, uid: c.uid, groups: []int{c.member}}
		if got := p.mayWrite(dir); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// An agent that says nothing does not hold doctor up, and what it does not say is
// skipped.
func TestExamineWithoutAnAgent(t *testing.T) {
	cfg := config.Default()
	cfg.Cluster.Name, cfg.Cluster.Bind, cfg.Rules.Dir, cfg.State.Dir = "a", "127.47.0.1", t.TempDir(), t.TempDir()
	found := Examine(t.Context(), Config{Config: cfg, Status: func(context.Context) (agent.Status, error) { return agent.Status{}, errors.New("is it running?") }})
	if !found.Healthy() || found.Count(Skipped) < 5 || !slices.Contains(lines(found), "warning agent") {
		t.Errorf("findings %+v", found)
	}
	remedied(t, found)
}

// However much there is to say, because members say much, one check says so
// much of it, the worst first, and how much more there is.
func TestFindingsAreFew(t *testing.T) {
	var all Findings
	for range 1000 {
		all = append(all, Finding{Check: "clock", Level: Warning, Text: "w", Remedy: "r"})
	}
	all = append(all, Finding{Check: "clock", Level: Problem, Text: "p", Remedy: "r"})
	got := all.shortened()
	remedied(t, got)
	if len(got) != most || got[0].Level != Problem || got[most-1].Text != "and 982 more" || got[most-1].Level != Warning {
		t.Errorf("%d findings, %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	few := slices.Repeat(Findings{{Check: "tcp", Level: OK}, {Check: "udp", Level: Problem, Remedy: "r"}}, most/2)
	if got := slices.Clone(few).shortened(); !cmp.Equal(got, few) {
		t.Errorf("few became %+v", got)
	}
	var nodesOf nodes.Report
	for range 1000 {
		nodesOf.Nodes = append(nodesOf.Nodes, nodes.Node{Name: "x", Clock: &nodes.Clock{Offset: time.Hour}})
	}
	client := func(context.Context) (nodes.Report, error) { return nodesOf, nil }
	found := Examine(t.Context(), Config{
		Status:  func(context.Context) (agent.Status, error) { return agent.Status{}, nil },
		Members: func(context.Context) ([]cluster.Member, error) { return nil, nil },
		Nodes:   client,
		Keys:    func(context.Context) (cluster.KeyReport, error) { return cluster.KeyReport{}, errors.New("none") },
	})
	n := 0
	for _, f := range found {
		if f.Check == "clock" {
			n++
		}
	}
	if n != most {
		t.Errorf("an examination has %d findings about clocks, want %d", n, most)
	}
}
