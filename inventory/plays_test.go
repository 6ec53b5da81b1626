package inventory

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

func TestPlays(t *testing.T) {
	failed := member("db9", "10.0.0.9", map[string]string{"role": "db"})
	failed.Status = cluster.Failed
	members := []cluster.Member{
		member("web1", "10.0.0.1", map[string]string{"role": "nginx-web, api", "dc": "eu"}),
		member("web2", "10.0.0.2", map[string]string{"role": "nginx_web"}),
		member("munin", "10.0.0.3", map[string]string{"role": "Munin"}),
		member("cache", "10.0.0.4", map[string]string{"role": "1st"}),
		member("c2", "10.0.0.5", map[string]string{"role": "cache"}),
		member("c3", "10.0.0.6", map[string]string{"role": "cache,db9"}),
		failed,
	}
	web := []string{"web1", "web2"}
	for _, tc := range []struct {
		names    string
		patterns []string
		all      bool
		want     map[string][]string
		refused  []string
	}{
		{names: "nginx-web nginx_web NGINX.WEB", want: map[string][]string{"nginx-web": web, "nginx_web": web, "NGINX.WEB": web}},
		{names: "nobody", want: map[string][]string{"nobody": {}}},
		{names: "role_api dc_eu alive 1st", want: map[string][]string{
			"role_api": {"web1"}, "dc_eu": {"web1"}, "alive": {"c2", "c3", "cache", "munin", "web1", "web2"}, "1st": {"cache"}}},
		{names: "web1 host.example.com", want: map[string][]string{}},
		{names: "munin", want: map[string][]string{"munin": {"munin"}}},
		// A member and others' tag: none of them is believed, nor is who has the
		// name of one that failed.
		{names: "cache", want: map[string][]string{"cache": {}}, refused: []string{"cache"}},
		{names: "db9", want: map[string][]string{"db9": {}}, refused: []string{"db9"}},
		{names: "db", all: true, want: map[string][]string{"db": {"db9"}}},
		{patterns: []string{"^nginx"}, want: map[string][]string{"nginx-web": web, "nginx_web": web}},
		// No tag makes a group of a host that a pattern matches.
		{patterns: []string{"^(cache|ap|all|ung|_)"}, want: map[string][]string{"api": {"web1"}, "_1st": {"cache"}}},
		{names: "cache", patterns: []string{"^ap"}, want: map[string][]string{"api": {"web1"}, "cache": {}}, refused: []string{"cache"}},
	} {
		plays := Plays{Tag: "role", Names: strings.Fields(tc.names)}
		for _, p := range tc.patterns {
			plays.Patterns = append(plays.Patterns, regexp.MustCompile(p))
		}
		inv, refused := For(members, tc.all, plays)
		if diff := cmp.Diff(tc.want, inv.Groups); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tc.names, tc.patterns, diff)
		}
		var names []string
		for _, r := range refused {
			names = append(names, r.Member)
			if _, there := inv.Hosts[r.Member]; there {
				t.Errorf("%s: refused %s is a host", tc.names, r)
			}
		}
		if diff := cmp.Diff(tc.refused, names); diff != "" {
			t.Errorf("%s: refused (-want +got):\n%s", tc.names, diff)
		}
	}
}

func TestINI(t *testing.T) {
	members := []cluster.Member{
		member("web2", "fd00::2", map[string]string{"role": "web", "note": "{{ x }}"}),
		member("web1", "::ffff:10.0.0.1", map[string]string{"role": "web,munin"}),
		member("munin", "10.0.0.3", map[string]string{"role": "db"}),
	}
	inv, _ := For(members, false, Plays{Tag: "role", Names: []string{"web", "b-c", "db"}})
	want := `# The live members of a cluster, made by muster inventory.
munin ansible_host=10.0.0.3
web1 ansible_host=10.0.0.1
web2 ansible_host=fd00::2

[b-c]

[db]
munin

[web]
web1
web2
`
	if diff := cmp.Diff(want, string(inv.INI())); diff != "" {
		t.Errorf("INI (-want +got):\n%s", diff)
	}
	inv, _ = For(members, false, Plays{Tag: "role", Names: []string{"db"}})
	list := inv.List()
	if diff := cmp.Diff(map[string]any{"hosts": []string{"web1", "web2"}}, list["ungrouped"]); diff != "" {
		t.Errorf("ungrouped (-want +got):\n%s", diff)
	}
}

// readINI is the inventory as a reader of Ansible's INI finds it.
func readINI(t rapid.TB, text []byte) (hosts map[string]string, groups map[string][]string) {
	hosts, groups, group := map[string]string{}, map[string][]string{}, ""
	host := regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*) ansible_host=([0-9a-f.:]+)$`)
	heading := regexp.MustCompile(`^\[([A-Za-z0-9_.-]+)\]$`)
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if h := heading.FindStringSubmatch(line); h != nil {
			group = h[1]
			groups[group] = []string{}
		} else if h := host.FindStringSubmatch(line); h != nil && group == "" {
			hosts[h[1]] = h[2]
		} else if _, there := hosts[line]; there && group != "" {
			groups[group] = append(groups[group], line)
		} else if line != "" && i > 0 {
			t.Fatalf("line %q in\n%s", line, text)
		}
	}
	return hosts, groups
}

// Whatever members say, an honest one is in its group, and a host of a file in
// which there is nothing but hosts, addresses and the groups of the plays.
func TestWhateverMembersSayToPlays(t *testing.T) {
	text := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.StringMatching(`[a-z_,]{1,9}`))
	generated := rapid.Custom(func(t *rapid.T) cluster.Member {
		addr, _ := netip.AddrFromSlice(rapid.SampledFrom([][]byte{{10, 0, 0, 7}, {127, 0, 0, 1}, nil, netip.MustParseAddr("fd00::7").AsSlice()}).Draw(t, "addr"))
		return cluster.Member{
			Name: text.Draw(t, "name"), Addr: addr, Port: 7946, Status: rapid.SampledFrom(cluster.Statuses).Draw(t, "status"),
			Tags: map[string]string{"role": text.Draw(t, "role"), text.Draw(t, "key"): text.Draw(t, "value")},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		mustHoldForPlays(t, rapid.SliceOfDistinct(generated, func(m cluster.Member) string { return m.Name }).Draw(t, "members"))
	})
}

// mustHoldForPlays checks what holds for any members beside an honest one.
func mustHoldForPlays(t rapid.TB, others []cluster.Member) {
	honest := member("Web1.example", "10.0.0.1", map[string]string{"role": "the-group"})
	plays := Plays{Tag: "role", Names: []string{"the-group", "web"}, Patterns: []*regexp.Regexp{regexp.MustCompile("")}}
	inv, _ := For(append(others, honest), true, plays)
	hosts, groups := readINI(t, inv.INI())
	if diff := cmp.Diff(inv.Groups, groups); diff != "" {
		t.Fatalf("groups (-want +got):\n%s", diff)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(hosts)), slices.Sorted(maps.Keys(inv.Hosts))) || hosts[honest.Name] != "10.0.0.1" {
		t.Fatalf("hosts %v", hosts)
	}
	namesake := slices.ContainsFunc(others, func(m cluster.Member) bool { return m.Name == "the-group" })
	if slices.Contains(groups["the-group"], honest.Name) == namesake {
		t.Fatalf("the honest member is in %v", groups)
	}
	for _, name := range []string{"all", "ungrouped", "_meta", "localhost"} {
		if _, there := groups[name]; there {
			t.Fatalf("group %q", name)
		}
	}
	// In YAML and JSON no host is called like a group.
	bare, _ := inv.WithoutNamesakes()
	if diff := cmp.Diff(bare, readYAML(t, bare.YAML()), cmp.Transformer("", func(hosts []string) string { return strings.Join(hosts, " ") })); diff != "" {
		t.Fatalf("YAML (-want +got):\n%s\n%s", diff, bare.YAML())
	}
	for name := range bare.Hosts {
		if _, group := bare.Groups[name]; group {
			t.Fatalf("host and group %q", name)
		}
	}
}
