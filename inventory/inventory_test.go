package inventory

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func member(name, addr string, tags map[string]string) cluster.Member {
	m := cluster.Member{Name: name, Port: 7946, Status: cluster.Alive, Tags: tags}
	if addr != "" {
		m.Addr = netip.MustParseAddr(addr)
	}
	return m
}

func TestInventory(t *testing.T) {
	failed := member("db1", "10.0.0.9", map[string]string{"role": "db"})
	failed.Status = cluster.Failed
	noPort := member("web2", "fd00::2", map[string]string{"role": "storage, mogfs", "dc": "EU-West", "1st": "x", "empty": ""})
	noPort.Port = 0
	members := []cluster.Member{noPort, member("web1", "::ffff:10.0.0.1", map[string]string{"role": "web", "note": "{{ x }}\n\"ü\xff"}), failed}

	inv, refused := Of(members, false)
	if len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
	want := Inventory{
		Hosts: map[string]Vars{
			"web1": {"10.0.0.1", "web1", "alive", map[string]Unsafe{"role": {"web"}, "note": {"{{ x }}\n\"ü\uFFFD"}}},
			"web2": {"fd00::2", "web2", "alive", map[string]Unsafe{"role": {"storage, mogfs"}, "dc": {"EU-West"}, "1st": {"x"}, "empty": {""}}},
		},
		Groups: map[string][]string{
			"alive": {"web1", "web2"}, "role_web": {"web1"}, "note____x_______": {"web1"},
			"role_storage": {"web2"}, "role_mogfs": {"web2"}, "dc_eu_west": {"web2"}, "_1st_x": {"web2"},
		},
	}
	if diff := cmp.Diff(want, inv); diff != "" {
		t.Errorf("Of (-want +got):\n%s", diff)
	}

	everyone, _ := Of(members, true)
	if diff := cmp.Diff([]string{"db1"}, everyone.Groups["failed"]); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
}

// The two forms, byte for byte.
func TestForms(t *testing.T) {
	inv, _ := Of([]cluster.Member{
		member("web1", "10.0.0.1", map[string]string{"role": "web", "note": "{{ x }}\n"}),
		member("web2", "fd00::2", nil),
	}, false)
	text, err := json.Marshal(inv.List())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_meta":{"hostvars":{` +
		`"web1":{"ansible_host":"10.0.0.1","serf_name":"web1","serf_status":"alive","serf_tags":{"note":{"__ansible_unsafe":"{{ x }}\n"},"role":{"__ansible_unsafe":"web"}}},` +
		`"web2":{"ansible_host":"fd00::2","serf_name":"web2","serf_status":"alive","serf_tags":{}}}},` +
		`"alive":{"hosts":["web1","web2"]},"all":{"children":["alive","note____x___","role_web"]},"note____x___":{"hosts":["web1"]},"role_web":{"hosts":["web1"]}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	want = `all:
  hosts:
    "web1":
      ansible_host: "10.0.0.1"
      serf_name: "web1"
      serf_status: "alive"
      serf_tags:
        "note": !unsafe "{{ x }}\n"
        "role": !unsafe "web"
    "web2":
      ansible_host: "fd00::2"
      serf_name: "web2"
      serf_status: "alive"
      serf_tags: {}
  children:
    alive:
      hosts:
        "web1":
        "web2":
    note____x___:
      hosts:
        "web1":
    role_web:
      hosts:
        "web1":
`
	if diff := cmp.Diff(want, string(inv.YAML())); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
}

func TestNobody(t *testing.T) {
	inv, _ := Of(nil, false)
	text, err := json.Marshal(inv.List())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"_meta":{"hostvars":{}},"all":{"children":[]}}`, string(text)); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("all:\n  hosts: {}\n", string(inv.YAML())); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
}

// Whom the inventory leaves out, and that it says why.
func TestRefusals(t *testing.T) {
	honest := member("web1", "10.0.0.1", map[string]string{"role": "web"})
	for _, tc := range []struct {
		m    cluster.Member
		want string
	}{
		{member("localhost", "10.0.0.6", nil), `member "localhost": to Ansible the name is that of the control node`},
		{member("127.0.0.1", "10.0.0.6", nil), "the control node"},
		{member("all", "10.0.0.6", nil), "the group of all hosts"},
		{member("ungrouped", "10.0.0.6", nil), "in no other"},
		{member("alive", "10.0.0.6", nil), "a group has this name"},
		{member("failed", "10.0.0.6", nil), "a group has this name"},
		{member("role_web", "10.0.0.6", nil), "a group has this name"},
		{member("x_y", "10.0.0.6", map[string]string{"x": "y"}), "a group has this name"},
		{member("{{ x }}", "10.0.0.6", nil), "'{'"},
		{member("web[1:9]", "10.0.0.6", nil), "'['"},
		{member("a\nb", "10.0.0.6", nil), `member "a\nb": `},
		{member("-oProxyCommand", "10.0.0.6", nil), "'-'"},
		{member("", "10.0.0.6", nil), "empty"},
		{member("evil", "127.0.0.1", nil), "this host itself"},
		{member("evil", "0.0.0.0", nil), "no host's address"},
		{member("evil", "fe80::1%{{x}}", nil), "zone"},
		{member("evil", "", nil), "address of 0 bytes"},
		{member("evil", "10.0.0.6", map[string]string{"x": strings.Repeat("x", 600)}), "more than 512"},
	} {
		inv, refused := Of([]cluster.Member{tc.m, honest}, false)
		if len(refused) != 1 || !strings.Contains(refused[0].String(), tc.want) {
			t.Errorf("%q at %v: refused %v, want %s", tc.m.Name, tc.m.Addr, refused, tc.want)
		}
		if _, there := inv.Hosts[tc.m.Name]; there || len(inv.Hosts) != 1 || len(inv.Groups) != 2 {
			t.Errorf("%q at %v: %+v", tc.m.Name, tc.m.Addr, inv)
		}
	}

	// A tag alone.
	inv, refused := Of([]cluster.Member{member("web1", "10.0.0.1", map[string]string{"{{ x }}": "y", "": "meta", "role": "web"})}, false)
	if len(refused) != 2 || !strings.Contains(refused[1].String(), `member "web1": its tag "{{ x }}": the key has`) {
		t.Errorf("refused %v", refused)
	}
	want := Inventory{
		Hosts:  map[string]Vars{"web1": {"10.0.0.1", "web1", "alive", map[string]Unsafe{"role": {"web"}}}},
		Groups: map[string][]string{"alive": {"web1"}, "role_web": {"web1"}},
	}
	if diff := cmp.Diff(want, inv); diff != "" {
		t.Errorf("Of (-want +got):\n%s", diff)
	}

	// Where all are on loopback, that is where they are.
	if _, refused := Of([]cluster.Member{member("a", "127.0.0.2", nil), member("b", "::1", nil)}, false); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
}
