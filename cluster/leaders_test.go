package cluster_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

func viewOf(names ...string) cluster.View {
	v := cluster.View{}
	for _, name := range names {
		v.Members = append(v.Members, cluster.Member{Name: name, Status: cluster.Alive})
	}
	cluster.SortMembers(v.Members)
	return v
}

func names(ms []cluster.Member) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

// The choice is what it is: nodes of different versions must agree.
func TestLeadersAreTheSameForEver(t *testing.T) {
	v := viewOf("a", "b", "c", "d", "e")
	v.Members[1].Status = cluster.Failed
	for key, want := range map[string][]string{
		"":            {"a", "c", "e", "d"},
		"power-cycle": {"a", "d", "c", "e"},
	} {
		if diff := cmp.Diff(want, names(v.Leaders(key, 9, nil))); diff != "" {
			t.Errorf("leaders of %q (-want +got):\n%s", key, diff)
		}
	}
	if got := v.Leaders("x", -1, nil); len(got) != 0 {
		t.Errorf("-1 leaders: %v", names(got))
	}
}

func TestLeadersProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := viewOf(rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}`), 1, 20, rapid.ID).Draw(t, "names")...)
		for i := range v.Members {
			v.Members[i].Status = rapid.SampledFrom(cluster.Statuses).Draw(t, "status")
		}
		key := rapid.String().Draw(t, "key")
		n := rapid.IntRange(0, 6).Draw(t, "n")
		short := func(m cluster.Member) bool { return len(m.Name) < 4 }
		all := names(v.Leaders(key, len(v.Members), short))
		got := names(v.Leaders(key, n, short))
		if !slices.Equal(got, all[:min(n, len(all))]) {
			t.Fatalf("%d of %v are %v", n, all, got)
		}
		for _, m := range v.Members {
			if chosen := slices.Contains(all, m.Name); chosen != (m.Status == cluster.Alive && short(m)) {
				t.Fatalf("%+v chosen: %v", m, chosen)
			}
		}
		// One that goes leaves the others in their order.
		gone := rapid.SampledFrom(v.Members).Draw(t, "gone")
		v.Members = slices.DeleteFunc(v.Members, func(m cluster.Member) bool { return m.Name == gone.Name })
		want := slices.DeleteFunc(all, func(name string) bool { return name == gone.Name })
		if now := names(v.Leaders(key, len(all), short)); !slices.Equal(now, want) {
			t.Fatalf("without %s they are %v, want %v", gone.Name, now, want)
		}
	})
}

// Every member gets its share of the keys.
func TestLeadersShare(t *testing.T) {
	v := viewOf("web1", "web2", "web3", "web4", "web5")
	count := map[string]int{}
	const keys = 5000
	for i := range keys {
		count[v.Leaders(fmt.Sprintf("deploy/%d", i), 1, nil)[0].Name]++
	}
	for _, m := range v.Members {
		if c := count[m.Name]; c < keys/5*85/100 || c > keys/5*115/100 {
			t.Errorf("%s leads %d of %d", m.Name, c, keys)
		}
	}
}
