package cluster_test

import (
	"testing"

	"muster/cluster"
)

func TestThreeNodes(t *testing.T) {
	a := start(t, cluster.Config{Name: "a", Bind: loopback(), Tags: map[string]string{"role": "seed"}})
	seeds := []string{a.Info().Bind}
	eventually(t, "a is up", func() bool { return a.Info().Epoch == 1 })
	seeds = []string{a.Info().Bind}
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
