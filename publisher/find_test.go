package publisher

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/services"
)

// What is found is what live members say, in one order, with an address.
func TestFind(t *testing.T) {
	member := func(name string, status cluster.Status, list ...services.Service) cluster.Member {
		m := cluster.Member{Name: name, Addr: netip.MustParseAddr("::ffff:10.0.0.1"), Status: status, Tags: map[string]string{}}
		if err := services.Set(m.Tags, list); err != nil {
			t.Fatal(err)
		}
		return m
	}
	web := services.Service{Type: "web", Port: "443", Host: "shop.guifi.local"}
	members := []cluster.Member{
		member("b", cluster.Alive, web, services.Service{Type: "web", Port: "80", IP: "192.0.2.7"}),
		member("a", cluster.Alive, services.Service{Type: "dns", Port: "53"}),
		member("dead", cluster.Failed, web),
		{Name: "liar", Status: cluster.Alive, Tags: map[string]string{services.Tag: "no such thing"}},
	}
	for _, c := range []struct {
		typ, host string
		want      []string
	}{
		{"", "", []string{"a dns:53 10.0.0.1", "b web:80 192.0.2.7", "b web:443 10.0.0.1"}},
		{"web", "", []string{"b web:80 192.0.2.7", "b web:443 10.0.0.1"}},
		{"", "shop", []string{"b web:443 10.0.0.1"}},
		{"", "shop.guifi.local", []string{"b web:443 10.0.0.1"}},
		{"", "b", []string{"b web:80 192.0.2.7", "b web:443 10.0.0.1"}},
		{"dns", "b", nil},
		{"", "liar", nil},
	} {
		found, unread := Find(members, c.typ, c.host)
		var got []string
		for _, f := range found {
			got = append(got, f.Node+" "+f.Key()+" "+f.IP)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || found == nil {
			t.Errorf("%q %q (-want +got):\n%s", c.typ, c.host, diff)
		}
		if len(unread) != 1 || unread[0].Node != "liar" || unread[0].Err == nil {
			t.Errorf("unread: %v", unread)
		}
	}
}
