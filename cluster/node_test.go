package cluster_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/cluster"
	"muster/cluster/clustertest"
)

func TestThreeNodes(t *testing.T) {
	t.Parallel()
	a := start(t, cluster.Config{Name: "a", Bind: loopback(), Tags: map[string]string{"role": "seed"}})
	eventually(t, "a is up", func() bool { return a.Info().Epoch == 1 })
	seeds := []string{a.Info().Bind}
	b := start(t, cluster.Config{Name: "b", Bind: loopback(), Join: seeds})
	cIP := loopback()
	c := start(t, cluster.Config{Name: "c", Bind: cIP, Join: seeds, Tags: map[string]string{"x": "1"}})

	all := "a:alive b:alive c:alive"
	for _, n := range []*node{a, b, c} {
		v := n.waitFor(all)
		if got := v.Members[0].Tags["role"]; got != "seed" {
			t.Errorf("tag role of a is %q", got)
		}
		if got := v.Members[2]; got.Addr.String() != cIP || got.Port != 7946 || got.Tags["x"] != "1" {
			t.Errorf("c is %+v", got)
		}
	}
	c.kill()
	a.waitFor("a:alive b:alive c:failed")
	b.waitFor("a:alive b:alive c:failed")
	c = start(t, cluster.Config{Name: "c", Bind: cIP, Join: seeds})
	for _, n := range []*node{a, b, c} {
		n.waitFor(all)
	}
	c.leave()
	a.waitFor("a:alive b:alive c:left")
	b.waitFor("a:alive b:alive c:left")
}

// A node that has to contradict others doubts itself.
func TestDoubt(t *testing.T) {
	n := target(t, cluster.Config{})
	if got := n.View().Doubt; got != 0 {
		t.Errorf("doubt %d at first", got)
	}
	if err := clustertest.Send(n.Info().Bind, clustertest.Suspect("target", "other", 100)); err != nil {
		t.Fatal(err)
	}
	v := n.wait("doubt", func(v cluster.View) bool { return v.Doubt > 0 })
	if !v.Settled || len(v.Members) != 1 {
		t.Errorf("view %+v", v)
	}
}

func TestIPv6(t *testing.T) {
	a := start(t, cluster.Config{Name: "a", Bind: "[::1]:0"})
	a.waitFor("a:alive")
	b := start(t, cluster.Config{Name: "b", Bind: "[::1]:0", Join: []string{a.Info().Bind}})
	b.waitFor("a:alive b:alive")
	v := a.waitFor("a:alive b:alive")
	if m, _ := v.Member("b"); m.Addr.String() != "::1" || m.Port == 0 {
		t.Errorf("b is %+v", m)
	}
}

// The members are given as they were: altering Serf's later leaves a view
// alone, and a view never changes.
func TestViewsKeep(t *testing.T) {
	u := universe(t)
	if err := u.Set(clustertest.Members("web", 3, map[string]string{"v": "1"})...); err != nil {
		t.Fatal(err)
	}
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Join: []string{u.Seed()}})
	v := n.waitFor("n:alive web-00001:alive web-00002:alive web-00003:alive")
	kept := v.Clone()
	m := v.Members[1]
	m.Tags, m.Status = map[string]string{"v": "2"}, cluster.Alive
	if err := u.Set(m); err != nil {
		t.Fatal(err)
	}
	next := n.wait("new tags", func(v cluster.View) bool { m, _ := v.Member(m.Name); return m.Tags["v"] == "2" })
	if diff := cmp.Diff(kept.Members, v.Members, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("an old view changed (-then +now):\n%s", diff)
	}
	if changes := next.Diff(v); len(changes) != 1 || changes[0].Name() != m.Name {
		t.Errorf("%d changes", len(changes))
	}
}

// Several nodes come and go, one after the other, and leave nothing running;
// TestMain looks.
func TestRunEnds(t *testing.T) {
	for range 3 {
		n := target(t, cluster.Config{SnapshotPath: t.TempDir() + "/snapshot"})
		n.leave()
		if v := n.View(); !v.Settled {
			t.Errorf("the last view is gone: %+v", v)
		}
	}
}
