package cluster_test

import (
	"net/netip"
	"strings"
	"testing"

	"muster/cluster"
)

// What no gossip of ours lets in is found in a list of somebody else's, too.
func TestMemberCheck(t *testing.T) {
	good := cluster.Member{
		Name: "web1", Addr: netip.MustParseAddr("192.0.2.1"), Port: 7946,
		Status: cluster.Alive, Tags: map[string]string{"role": "web"},
	}
	for _, c := range []struct {
		want     string
		loopback bool
		change   func(*cluster.Member)
	}{
		{"", false, func(*cluster.Member) {}},
		{"", true, func(m *cluster.Member) { m.Addr = netip.MustParseAddr("127.0.0.1") }},
		{cluster.RefusedName, false, func(m *cluster.Member) { m.Name = "web1\nserver evil" }},
		{cluster.RefusedAddress, false, func(m *cluster.Member) { m.Addr = netip.Addr{} }},
		{cluster.RefusedAddress, false, func(m *cluster.Member) { m.Addr = netip.MustParseAddr("127.0.0.1") }},
		{cluster.RefusedAddress, false, func(m *cluster.Member) { m.Port = 0 }},
		{cluster.RefusedTags, false, func(m *cluster.Member) { m.Tags = map[string]string{"a": strings.Repeat("b", 600)} }},
		{cluster.RefusedMessage, false, func(m *cluster.Member) { m.Status = "none" }},
	} {
		m := good
		c.change(&m)
		if reason, err := m.Check(c.loopback); reason != c.want || (err == nil) != (reason == "") {
			t.Errorf("Check of %+v = %q, %v; want %q", m, reason, err, c.want)
		}
	}
}
