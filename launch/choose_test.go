package launch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
	"muster/load"
	"muster/metadata"
	"muster/nodes"
)

// node is one that has told its load just now; a rate below 0 is one that has
// not.
func node(name string, rate float64, tags map[string]string) nodes.Node {
	n := nodes.Node{
		Name: name, Addr: netip.MustParseAddr("10.0.0.1"), Port: 7946, Status: cluster.Alive, Tags: tags,
		Load: &load.Load{CPUs: 1, MemTotal: 1}, Rate: &rate, Age: time.Second,
	}
	if rate < 0 {
		n.Load, n.Rate, n.Age = nil, nil, 0
	}
	return n
}

func report(all ...nodes.Node) nodes.Report {
	return nodes.Report{Self: "a", Settled: true, Every: 5 * time.Second, Nodes: all}
}

func tags(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// Who cannot be picked, and what is said of it.
func TestChoose(t *testing.T) {
	failed := node("failed", 0, nil)
	failed.Status = cluster.Failed
	left := node("left", 0, nil)
	left.Status = cluster.Left
	old := node("old", 0, nil)
	old.Age = 16 * time.Second
	rubbish := node("rubbish", 0, nil)
	rubbish.Problem = "cannot read a node's load: it is not the JSON of one"
	full := strings.Join([]string{long("a"), long("b"), long("c"), long("d")}, ",")
	r := report(
		node("a", 2, nil), node("b", 0.5, nil), node("c", 1, tags("runs", "db,nginx")), node("d", 0.1, tags(cluster.DrainTag, "1")),
		failed, node("full", 0, tags("runs", full)), left, node("localhost", 0, nil), node("launch", 0, nil), old, rubbish,
		node("stock", -1, nil), node("tagged", 0, tags("x", strings.Repeat("z", 495))),
	)
	c := Choose(Order{Service: "nginx", Count: 5}, r)
	if diff := cmp.Diff([]string{"b", "a"}, Names(c.Picked)); diff != "" {
		t.Errorf("picked (-want +got):\n%s", diff)
	}
	want := `cannot launch nginx: asked for 5, only 2 available
  c: runs it already
  d: drains
  failed: is failed
  full: not possible: the names of the services take 257 bytes of 256; remove one, or choose shorter names
  launch: cannot be a host for Ansible: the group of those picked has this name
  localhost: cannot be a host for Ansible: to Ansible the name is that of the control node
  old: did not answer: its load is of 16s ago
  rubbish: cannot read a node's load: it is not the JSON of one
  stock: has not told its load: it did not answer, or no muster runs there
  tagged: its tags take 513 bytes, more than 512`
	if diff := cmp.Diff(want, fmt.Sprint(c.Err())); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}

// A service is taken off the busiest, also of those that drain or say nothing.
func TestChooseToRemove(t *testing.T) {
	has := func(more ...string) map[string]string { return tags(append(more, "runs", "nginx")...) }
	failed := node("failed", 9, has())
	failed.Status = cluster.Failed
	r := report(node("a", 1, has()), node("b", 2, has(cluster.DrainTag, "1")), node("c", -1, has()), node("d", 5, nil), failed)
	c := Choose(Order{Service: "nginx", Remove: true, Count: 2}, r)
	if c.Err() != nil || !slices.Equal(Names(c.Picked), []string{"b", "a"}) || !slices.Equal(Names(c.Spare), []string{"c"}) {
		t.Errorf("picked %v, spare %v: %v", Names(c.Picked), Names(c.Spare), c.Err())
	}
	c = Choose(Order{Service: "nginx", Remove: true}, r)
	if c.Err() != nil || !slices.Equal(Names(c.Picked), []string{"b", "a", "c"}) {
		t.Errorf("all: picked %v: %v", Names(c.Picked), c.Err())
	}
	if c.Report("", &Outcome{Results: []Result{{Node: "b", State: Done}}}).Done() {
		t.Error("it is off all, and one that failed has it")
	}
	if err := Choose(Order{Service: "nginx", Remove: true, Count: 4}, r).Err(); fmt.Sprint(err) != "cannot remove nginx: asked for 4, only 3 run it\n  failed: is failed" {
		t.Error(err)
	}
	if err := Choose(Order{Service: "db", Remove: true}, r).Err(); fmt.Sprint(err) != "cannot remove db: no living node has it on its list" {
		t.Error(err)
	}
}

// Whoever the nodes are: those picked are as many as were asked for, or there
// is an error; none has the service or drains; none that was left is less
// busy; everybody is somewhere once; and the order of the report is nothing.
func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.Custom(anyNode), 0, 12, func(n nodes.Node) string { return n.Name }).Draw(t, "nodes")
		o := Order{Service: "nginx", Remove: rapid.Bool().Draw(t, "remove"), Count: rapid.IntRange(1, 6).Draw(t, "count")}
		c := Choose(o, report(all...))
		if (c.Err() == nil) != (len(c.Picked) == o.Count) || len(c.Picked) < o.Count && len(c.Spare) > 0 {
			t.Fatalf("asked for %d, picked %v, spare %v: %v", o.Count, Names(c.Picked), Names(c.Spare), c.Err())
		}
		seen := map[string]int{}
		for _, n := range slices.Concat(c.Picked, c.Spare) {
			seen[n.Name]++
			if has := slices.Contains(metadata.Of(Member(n)), "nginx"); has != o.Remove || n.Status != cluster.Alive {
				t.Fatalf("%+v cannot be picked", n)
			}
			if !o.Remove && (Member(n).Draining() || n.Rate == nil) {
				t.Fatalf("%+v cannot be picked", n)
			}
		}
		for _, p := range c.Picked {
			for _, s := range c.Spare {
				if p.Rate != nil && s.Rate != nil && (!o.Remove && *p.Rate > *s.Rate || o.Remove && *p.Rate < *s.Rate) || p.Rate == nil && s.Rate != nil {
					t.Fatalf("%s was picked before %s", p.Name, s.Name)
				}
			}
		}
		for _, other := range c.Others {
			seen[other.Node]++
		}
		for _, n := range all {
			nobody := n.Status == cluster.Left || o.Remove && !slices.Contains(metadata.Of(Member(n)), "nginx")
			if nobody && seen[n.Name] != 0 || !nobody && seen[n.Name] != 1 {
				t.Fatalf("%s is listed %d times", n.Name, seen[n.Name])
			}
		}
		if diff := cmp.Diff(c.Report("", nil), Choose(o, report(rapid.Permutation(all).Draw(t, "order")...)).Report("", nil), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.AllowUnexported(Result{})); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
	})
}

func anyNode(t *rapid.T) nodes.Node {
	n := node(rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name"), float64(rapid.IntRange(-1, 5).Draw(t, "rate")), map[string]string{})
	n.Status = rapid.SampledFrom(append(slices.Repeat([]cluster.Status{cluster.Alive}, 6), cluster.Statuses...)).Draw(t, "status")
	if runs := rapid.SampledFrom([]string{"", "nginx", "db", "db,nginx", "{{ x }},nginx"}).Draw(t, "runs"); runs != "" {
		n.Tags[metadata.Tag] = runs
	}
	if rapid.IntRange(0, 5).Draw(t, "drains") == 0 {
		n.Tags[cluster.DrainTag] = "1"
	}
	return n
}

// Two who launch at once: the later one sees what the earlier has done.
func TestAgain(t *testing.T) {
	c := Choose(Order{Service: "nginx", Count: 1}, report(node("a", 1, nil)))
	m := Member(c.Picked[0])
	if err := c.Again([]cluster.Member{m}); err != nil {
		t.Error(err)
	}
	with := func(change func(*cluster.Member)) []cluster.Member {
		changed := m
		change(&changed)
		return []cluster.Member{changed}
	}
	for want, now := range map[string][]cluster.Member{
		"it is no member any more":           {},
		"it runs it already":                 with(func(m *cluster.Member) { m.Tags = tags("runs", "nginx") }),
		"it drains":                          with(func(m *cluster.Member) { m.Tags = tags(cluster.DrainTag, "1") }),
		"it is failed":                       with(func(m *cluster.Member) { m.Status = cluster.Failed }),
		"it has another address, 10.0.0.200": with(func(m *cluster.Member) { m.Addr = netip.MustParseAddr("10.0.0.200") }),
	} {
		if err := c.Again(now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	c = Choose(Order{Service: "nginx", Remove: true, Count: 1}, report(node("a", 1, tags("runs", "nginx", cluster.DrainTag, "1"))))
	if err := c.Again([]cluster.Member{Member(c.Picked[0])}); err != nil {
		t.Error(err)
	}
	if err := c.Again([]cluster.Member{m}); err == nil || !strings.Contains(err.Error(), "no longer has it") {
		t.Error(err)
	}
}

// Only who could still answer is worth a second question.
func TestSilent(t *testing.T) {
	late := node("late", 1, nil)
	late.Age = 9 * time.Second
	gone := late
	gone.Status = cluster.Failed
	for _, c := range []struct {
		r    nodes.Report
		all  bool
		want bool
	}{
		{report(node("a", 1, nil)), true, false},
		{report(node("a", 1, nil), node("stock", -1, nil)), false, false},
		{report(node("a", 1, nil), node("stock", -1, nil)), true, true},
		{report(late), false, true},
		{report(gone), true, false},
	} {
		if got := Silent(c.r, c.all); got != c.want {
			t.Errorf("%v, %t: %t", Names(c.r.Nodes), c.all, got)
		}
	}
}

// long is a name of 62 bytes.
func long(letter string) string { return strings.Repeat(letter, 62) }
