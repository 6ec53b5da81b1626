package templates

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// A builtinRow is one of the built-ins in the injection matrix: the tags that it
// prints, and how somebody who knows nothing of templates reads what it prints:
// one entry for each member, all of whose names and values are in it.
type builtinRow struct {
	vars  map[string]any
	tags  []string
	read  func(text string) ([]entry, error)
	shows func(m cluster.Member) entry // what the entry of m has to be; with no facts, if it has none
}

type entry struct {
	name  string
	facts map[string]string
}

// builtinRows holds a row for each built-in, by its name; behind a space stands
// what else its vars are about.
func builtinRows() map[string]builtinRow {
	all := map[string]builtinRow{
		"nginx-upstream": {map[string]any{"upstream": "web", "port": 8080, "weight_tag": "weight"}, []string{"port", "weight"}, upstreamEntries, func(m cluster.Member) entry {
			return entry{dialled(m, "port", 8080), weightOf(m, map[string]string{})}
		}},
		"haproxy-backend": {map[string]any{"backend": "web", "port": 8080, "weight_tag": "weight"}, []string{"port", "weight"}, backendEntries, func(m cluster.Member) entry {
			return entry{m.Name, weightOf(m, map[string]string{"address": dialled(m, "port", 8080)})}
		}},
		"haproxy-server-template": {map[string]any{"backend": "web", "slots": 9, "port": 8080, "weight_tag": "weight"}, []string{"port", "weight"}, slotEntries, func(m cluster.Member) entry {
			return entry{m.Name, weightOf(m, map[string]string{"address": dialled(m, "port", 8080)})}
		}},
		"prometheus-file-sd": {map[string]any{}, []string{"metrics_port"}, targetEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"target": dialled(m, "metrics_port", 9100)}}
			for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
				e.facts["serf_tag_"+labelled(k)] = m.Tags[k]
			}
			return e
		}},
		"dnsmasq-hosts": {map[string]any{"group_tag": "role"}, nil, hostEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"address": m.Addr.Unmap().String()}}
			if m.Tags["role"] != "" {
				e.facts["group"] = m.Tags["role"]
			}
			return e
		}},
		"ssh-config": {map[string]any{"user": "admin"}, []string{"ssh_port"}, sshEntries, func(m cluster.Member) entry {
			_, port, _ := net.SplitHostPort(dialled(m, "ssh_port", 22))
			return entry{m.Name, map[string]string{"hostname": m.Addr.Unmap().String(), "hostkeyalias": m.Name + ".serf", "port": port, "user": "admin"}}
		}},
		"munin-hosts": {map[string]any{}, []string{"munin-group"}, muninEntries, func(m cluster.Member) entry {
			addr := m.Addr.Unmap().String()
			if m.Addr.Unmap().Is6() {
				addr = "[" + addr + "]"
			}
			return entry{m.Name, map[string]string{"group": cmp.Or(m.Tags["munin-group"], "muster"), "address": addr, "use_node_name": "yes"}}
		}},
		"ansible-hosts": {map[string]any{"user": "admin"}, nil, ansibleEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"ansible_host": m.Addr.Unmap().String(), "ansible_user": "admin"}}
			for g := range ansibleHosts([]cluster.Member{m}).Groups {
				if g != "ungrouped" {
					e.facts["["+g+"]"] = ""
				}
			}
			return e
		}},
	}
	maps.Copy(all, balancerRows())
	return all
}

// dialled is where m listens: the port that its tag says, or else otherwise.
func dialled(m cluster.Member, tag string, otherwise int) string {
	port := otherwise
	if v := m.Tags[tag]; v != "" {
		port, _ = strconv.Atoi(strings.TrimSpace(v))
	}
	return netip.AddrPortFrom(m.Addr.Unmap(), uint16(port)).String()
}

// weightOf adds the weight of m, if it says one.
func weightOf(m cluster.Member, facts map[string]string) map[string]string {
	if v := m.Tags["weight"]; v != "" {
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		facts["weight"] = strconv.Itoa(n)
	}
	return facts
}

// labelled is key as a part of a label's name.
func labelled(key string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(alnum+"_", r) {
			return r
		}
		return '_'
	}, key)
}

// checkHostile renders a built-in for two honest members and a hostile one. That
// one is left out, or has its one entry, made of its values and of nothing else;
// the honest ones are there in any case.
func checkHostile(t testing.TB, tm *Template, b builtinRow, evil cluster.Member) {
	t.Helper()
	honest := []cluster.Member{
		{Name: "a", Addr: netip.MustParseAddr("10.9.8.1"), Status: cluster.Alive, Tags: map[string]string{"role": "web", "host": "first.example"}},
		{Name: "z", Addr: netip.MustParseAddr("10.9.8.3"), Status: cluster.Alive, Tags: map[string]string{"host": "second.example, third.example"}},
	}
	if evil.Name == "a" || evil.Name == "z" {
		return // the cluster has a name once
	}
	r, err := tm.Execute(Data{Rule: "r", Vars: b.vars, Members: []cluster.Member{honest[0], evil, honest[1]}})
	if err != nil {
		t.Errorf("%s, %+v: %v", tm.name, evil, err)
		return
	}
	got, err := b.read(string(r.Bytes))
	if err != nil {
		t.Errorf("%s, %+v: %v in:\n%s", tm.name, evil, err, r.Bytes)
		return
	}
	want := []entry{b.shows(honest[0]), b.shows(honest[1])}
	if len(r.Refused) == 0 {
		want = append(want, b.shows(evil))
	}
	for _, f := range r.Refused {
		checkRefusal(t, tm.name, f)
		if f.Member != evil.Name {
			t.Errorf("%s, %+v: an honest member is left out: %+v", tm.name, evil, f)
		}
	}
	want = slices.DeleteFunc(want, func(e entry) bool { return e.facts == nil })
	byName := func(a, b entry) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(want, byName)
	slices.SortFunc(got, byName)
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("%s, %+v, refused %v (-want +got):\n%s", tm.name, evil, r.Refused, diff)
	}
}

// evil is a member that says v in a place: its name, the key of a tag, or a tag.
func evil(place, v string) cluster.Member {
	m := cluster.Member{Name: "m", Addr: netip.MustParseAddr("10.0.0.2"), Status: cluster.Alive, Tags: map[string]string{}}
	switch place {
	case "name":
		m.Name = v
	case "key":
		m.Tags[v] = "x"
	default:
		m.Tags[place] = v
	}
	return m
}

// places are where a member can speak to a built-in.
func (b builtinRow) places() []string {
	return append([]string{"name", "key", "role", "note"}, b.tags...)
}

// TestMatrixOfBuiltins proves that no member gets more out of a built-in than
// its own entry.
func TestMatrixOfBuiltins(t *testing.T) {
	all := builtinRows()
	for _, name := range Builtins() {
		if _, ok := all[name]; !ok {
			t.Errorf("the built-in %s has no row in the matrix", name)
		}
	}
	for name, b := range all {
		tm := parseBuiltin(t, name)
		for _, place := range b.places() {
			for _, v := range hostile {
				checkHostile(t, tm, b, evil(place, v))
			}
		}
		for _, a := range addresses() {
			m := evil("note", "x")
			m.Addr = a
			checkHostile(t, tm, b, m)
		}
	}
}

func FuzzBuiltins(f *testing.F) {
	for i, v := range hostile {
		if i%10 == 0 { // the matrix has them all
			f.Add(v)
		}
	}
	builtins, parsed := builtinRows(), map[string]*Template{}
	for name := range builtins {
		parsed[name] = parseBuiltin(f, name)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for name, b := range builtins {
			for _, place := range b.places() {
				checkHostile(t, parsed[name], b, evil(place, v))
			}
		}
	})
}

// A port that is none leaves its member out.
func TestBuiltinsAndHostilePorts(t *testing.T) {
	for name, tag := range map[string]string{"nginx-upstream": "port", "nginx-map": "port", "haproxy-backend": "port", "haproxy-server-template": "port",
		"keepalived-real-servers": "port", "varnish-directors": "port", "prometheus-file-sd": "metrics_port", "ssh-config": "ssh_port"} {
		tm := parseBuiltin(t, name)
		for _, v := range hostile {
			r, err := tm.Execute(Data{Vars: builtinRows()[name].vars, Members: []cluster.Member{evil(tag, v)}})
			if err != nil {
				t.Fatal(err)
			}
			// Empty is the default port; "1" and "+1" are numbers.
			if printed := len(r.Refused) == 0; printed != slices.Contains([]string{"", "1", "+1"}, v) {
				t.Errorf("%s with port %q:\n%s", name, v, r.Bytes)
			}
		}
	}
}

func parseBuiltin(t testing.TB, name string) *Template {
	t.Helper()
	name, _, _ = strings.Cut(name, " ")
	text, f, ok := Builtin(name)
	if !ok {
		t.Fatalf("no built-in %s", name)
	}
	tm, err := Parse(text, Options{Name: name, Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return tm
}
