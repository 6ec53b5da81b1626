package cluster_test

import (
	"slices"
	"testing"

	"muster/cluster"
)

// The roster lists the view's members with their versions, and what an event
// has told already.
func TestRoster(t *testing.T) {
	a := start(t, cluster.Config{Name: "b", Bind: loopback()})
	a.waitFor("b:alive")
	heard := a.Subscribe(16)
	defer heard.Close()
	start(t, cluster.Config{Name: "a", Bind: loopback(), Join: []string{a.Info().Bind}, Tags: map[string]string{"role": "web"}})
	for e := range heard.C {
		if e.Type == cluster.EventJoin && e.Members[0].Name == "a" {
			break
		}
	}
	var names []string
	for _, m := range a.Roster() { // at once: the view may not show it yet
		names = append(names, m.Name)
		if m.ProtocolMax < m.ProtocolMin || m.DelegateCur != 5 {
			t.Errorf("%s speaks %+v", m.Name, m.Versions)
		}
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("roster of %v", names)
	}
	v := a.waitFor("a:alive b:alive")
	for i, m := range a.Roster() {
		if !m.Equal(v.Members[i]) {
			t.Errorf("%+v in the roster, %+v in the view", m.Member, v.Members[i])
		}
	}
	a.kill()
	if got := a.Roster(); len(got) != 2 || got[0].ProtocolCur != 0 || got[0].Tags["role"] != "web" {
		t.Errorf("a roster without Serf: %+v", got)
	}
	idle, err := cluster.Join(cluster.Config{Name: "c", Bind: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	if got := idle.Roster(); len(got) != 0 {
		t.Errorf("%+v before Run", got)
	}
}
