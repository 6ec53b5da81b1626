package inventory

import (
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"muster/cluster"
)

// hostile are values that mean something to Ansible, YAML, JSON or a terminal.
var hostile = []string{
	"{{ lookup('pipe','touch /tmp/pwned') }}", "{% for x in y %}", "{# x #}", "#jinja2: variable_start_string:'[%'", "!unsafe x", "!!python/object:os.system",
	"\"", "'", "\\", "a: b", "- x", "&a *a", "%YAML", "---", "\n", "\r\n", "\x00", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\u202e", "\ufeff", "\U0001f600", "\xff\xfe",
	"true", "null", "~", "0x10", "1_000", "1e3", "::1", "a,b,,c", ",", " ", "", "_meta", "hostvars", "all", "localhost", "alive", "role_web", "web1", "<script>", "ü",
}

var groupNamePattern = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// mustHold checks what holds for any members, of whom honest is one: readers
// that are not ours find the same in both forms, every value of a tag is
// marked, no name means anything else, and the honest one is there.
func mustHold(t rapid.TB, members []cluster.Member, honest cluster.Member) {
	inv, _ := Of(members, true)
	text, err := json.Marshal(inv.List())
	if err != nil {
		t.Fatal(err)
	}
	turned := slices.Clone(members)
	slices.Reverse(turned)
	again, _ := Of(turned, true)
	if diff := cmp.Diff(string(inv.YAML()), string(again.YAML())); diff != "" {
		t.Fatalf("the order of the members shows:\n%s", diff)
	}
	fromJSON, fromYAML := readJSON(t, text), readYAML(t, inv.YAML())
	if diff := cmp.Diff(inv, fromJSON); diff != "" {
		t.Fatalf("as JSON (-want +got):\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(inv, fromYAML); diff != "" {
		t.Fatalf("as YAML (-want +got):\n%s\n%s", diff, inv.YAML())
	}
	for group, hosts := range inv.Groups {
		if _, host := inv.Hosts[group]; host || !groupNamePattern.MatchString(group) || len(hosts) == 0 || !slices.IsSorted(hosts) {
			t.Fatalf("group %q of %v", group, hosts)
		}
		if group == "_meta" || group == "all" || group == "ungrouped" {
			t.Fatalf("group %q", group)
		}
	}
	for name, vars := range inv.Hosts {
		addr, err := netip.ParseAddr(vars.Address)
		if err != nil || addr.Zone() != "" || name != vars.Name || anotherMeaning[name] != "" || regexp.MustCompile(`[^A-Za-z0-9._-]`).MatchString(name) {
			t.Fatalf("host %q at %q, %v", name, vars.Address, err)
		}
		if !slices.Contains(inv.Groups[string(vars.Status)], name) {
			t.Fatalf("host %q is not in group %s", name, vars.Status)
		}
	}
	if vars, there := inv.Hosts[honest.Name]; !there || vars.Address != honest.Addr.String() || !slices.Contains(inv.Groups["role_web"], honest.Name) {
		t.Fatalf("the honest member is %+v", vars)
	}
}

// readJSON is the inventory as a reader of an inventory script finds it, who
// knows of no type of ours.
func readJSON(t rapid.TB, text []byte) Inventory {
	var list map[string]struct {
		Hosts    []string
		Children []string
		Hostvars map[string]struct {
			Address string                       `json:"ansible_host"`
			Name    string                       `json:"serf_name"`
			Status  string                       `json:"serf_status"`
			Tags    map[string]map[string]string `json:"serf_tags"`
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	inv := Inventory{Hosts: map[string]Vars{}, Groups: map[string][]string{}}
	for name, v := range list["_meta"].Hostvars {
		vars := Vars{v.Address, v.Name, cluster.Status(v.Status), map[string]Unsafe{}}
		for key, value := range v.Tags {
			if len(value) != 1 {
				t.Fatalf("tag %q of %q is %v", key, name, value)
			}
			vars.Tags[key] = Unsafe{value["__ansible_unsafe"]}
		}
		inv.Hosts[name] = vars
	}
	for name, group := range list {
		if name != "_meta" && name != "all" {
			inv.Groups[name] = group.Hosts
		}
	}
	if diff := cmp.Diff(slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(inv.Groups)))), list["all"].Children); diff != "" {
		t.Fatalf("children of all (-want +got):\n%s", diff)
	}
	return inv
}

// readYAML is the same of a file in YAML, where every value of a tag must be
// tagged !unsafe and nothing else be tagged.
func readYAML(t rapid.TB, text []byte) Inventory {
	var file struct {
		All struct {
			Hosts    map[string]map[string]yaml.Node
			Children map[string]struct{ Hosts map[string]any }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	inv := Inventory{Hosts: map[string]Vars{}, Groups: map[string][]string{}}
	for name, v := range file.All.Hosts {
		for _, key := range []string{"ansible_host", "serf_name", "serf_status"} {
			if node := v[key]; node.Tag != "!!str" {
				t.Fatalf("%s of %q is a %s", key, name, node.Tag)
			}
		}
		vars := Vars{v["ansible_host"].Value, v["serf_name"].Value, cluster.Status(v["serf_status"].Value), map[string]Unsafe{}}
		var tags map[string]yaml.Node
		node := v["serf_tags"]
		if err := node.Decode(&tags); err != nil {
			t.Fatal(err)
		}
		for key, value := range tags {
			if value.Tag != "!unsafe" {
				t.Fatalf("tag %q of %q is a %s", key, name, value.Tag)
			}
			vars.Tags[key] = Unsafe{value.Value}
		}
		inv.Hosts[name] = vars
	}
	for name, group := range file.All.Children {
		inv.Groups[name] = slices.Sorted(maps.Keys(group.Hosts))
	}
	return inv
}

func TestWhateverMembersSay(t *testing.T) {
	text := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.StringMatching(`[a-z_]{1,4}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }))
	generated := rapid.Custom(func(t *rapid.T) cluster.Member {
		addr, _ := netip.AddrFromSlice(rapid.SampledFrom([][]byte{{10, 0, 0, 7}, {127, 0, 0, 1}, {0, 0, 0, 0}, nil, netip.MustParseAddr("fd00::7").AsSlice()}).Draw(t, "addr"))
		return cluster.Member{
			Name: text.Draw(t, "name"), Addr: addr, Port: 7946, Status: rapid.SampledFrom(cluster.Statuses).Draw(t, "status"),
			Tags: rapid.MapOfN(text, text, 0, 4).Draw(t, "tags"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		// No tag can take a name with a capital or a dot from its member.
		honest := member("Web1.example", "10.0.0.1", map[string]string{"role": "web"})
		others := rapid.SliceOfDistinct(generated, func(m cluster.Member) string { return m.Name }).Draw(t, "members")
		mustHold(t, append([]cluster.Member{honest}, others...), honest)
	})
}

func FuzzInventory(f *testing.F) {
	for i, value := range hostile {
		f.Add(value, "role", value, "fd00::7")
		f.Add("evil", value, hostile[(i+1)%len(hostile)], "10.0.0.7")
	}
	f.Fuzz(func(t *testing.T, name, key, value, addr string) {
		at, _ := netip.ParseAddr(addr)
		honest := member("Web1.example", "10.0.0.1", map[string]string{"role": "web"})
		evil := cluster.Member{Name: name, Addr: at, Port: 7946, Status: cluster.Alive, Tags: map[string]string{key: value}}
		if name == honest.Name {
			return
		}
		mustHold(t, []cluster.Member{evil, honest}, honest)
	})
}
