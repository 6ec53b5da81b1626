package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// A readBuiltin is one of the built-ins, and how somebody who knows nothing of
// templates reads what it prints: one entry for each member, all of whose
// names and values are in it.
type readBuiltin struct {
	vars  map[string]any
	read  func(text string) ([]entry, error)
	shows func(m cluster.Member) entry // what the entry of m has to be
}

type entry struct {
	name  string
	facts map[string]string
}

func readBuiltins() map[string]readBuiltin {
	all := map[string]readBuiltin{
		"prometheus-file-sd": {map[string]any{}, targetEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"target": m.Addr.String() + ":9100"}}
			for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
				e.facts["serf_tag_"+labelled(k)] = m.Tags[k]
			}
			return e
		}},
		"dnsmasq-hosts": {map[string]any{"group_tag": "role"}, hostEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"address": m.Addr.String()}}
			if m.Tags["role"] != "" {
				e.facts["group"] = m.Tags["role"]
			}
			return e
		}},
		"ssh-config": {map[string]any{"user": "admin"}, sshEntries, func(m cluster.Member) entry {
			return entry{m.Name, map[string]string{"hostname": m.Addr.String(), "hostkeyalias": m.Name + ".serf", "port": "22", "user": "admin"}}
		}},
	}
	maps.Copy(all, balancerBuiltins())
	return all
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

func targetEntries(text string) ([]entry, error) {
	var groups []struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&groups); err != nil {
		return nil, err
	}
	var es []entry
	for _, g := range groups {
		if len(g.Targets) != 1 {
			return nil, fmt.Errorf("%d targets", len(g.Targets))
		}
		e := entry{g.Labels["serf_name"], g.Labels}
		delete(e.facts, "serf_name")
		e.facts["target"] = g.Targets[0]
		es = append(es, e)
	}
	return es, nil
}

func hostEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 || len(words) > 3 {
			return nil, fmt.Errorf("%d words in %q", len(words), line)
		}
		name, ok := strings.CutSuffix(words[1], ".serf")
		if !ok {
			return nil, fmt.Errorf("the name of somebody else in %q", line)
		}
		e := entry{name, map[string]string{"address": words[0]}}
		if len(words) == 3 {
			if e.facts["group"], ok = strings.CutSuffix(words[2], ".role.serf"); !ok {
				return nil, fmt.Errorf("a group of somebody else in %q", line)
			}
		}
		es = append(es, e)
	}
	return es, nil
}

// sshEntries reads ssh_config(5): a keyword and its arguments on each line, which
// `=` and quotes may set off.
func sshEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f=\"'", r) })
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
			continue
		case len(words) != 2:
			return nil, fmt.Errorf("%d words in %q", len(words), line)
		}
		keyword := strings.ToLower(words[0])
		if keyword == "host" {
			name, ok := strings.CutSuffix(words[1], ".serf")
			if !ok || strings.ContainsAny(name, "*?!,") {
				return nil, fmt.Errorf("the name of somebody else in %q", line)
			}
			es = append(es, entry{name, map[string]string{}})
			continue
		}
		if len(es) == 0 {
			return nil, fmt.Errorf("%q is for all hosts", line)
		}
		facts := es[len(es)-1].facts
		if _, twice := facts[keyword]; twice {
			return nil, fmt.Errorf("a second %s in %q", keyword, line)
		}
		facts[keyword] = words[1]
	}
	return es, nil
}

// checkHostile renders a built-in for two honest members and one that puts v
// into place. That one is left out, or has its one entry, made of its values
// and of nothing else; the honest ones are there in any case.
func checkHostile(t testing.TB, tm *Template, b readBuiltin, place, v string) {
	t.Helper()
	addr := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, i}) }
	evil := cluster.Member{Name: "m", Addr: addr(2), Status: cluster.Alive, Tags: map[string]string{}}
	switch place {
	case "name":
		evil.Name = v
	case "key":
		evil.Tags[v] = "x"
	default: // a tag
		evil.Tags[place] = v
	}
	honest := []cluster.Member{
		{Name: "a", Addr: addr(1), Status: cluster.Alive, Tags: map[string]string{"role": "web"}},
		{Name: "z", Addr: addr(3), Status: cluster.Alive},
	}
	if v == "a" || v == "z" {
		return // the cluster has a name once
	}
	r, err := tm.Execute(Data{Rule: "r", Vars: b.vars, Members: []cluster.Member{honest[0], evil, honest[1]}})
	if err != nil {
		t.Errorf("%s, %s %q: %v", tm.name, place, v, err)
		return
	}
	got, err := b.read(string(r.Bytes))
	if err != nil {
		t.Errorf("%s, %s %q: %v in:\n%s", tm.name, place, v, err, r.Bytes)
		return
	}
	want := []entry{b.shows(honest[0]), b.shows(honest[1])}
	if len(r.Refused) == 0 {
		want = append(want, b.shows(evil))
	}
	slices.SortFunc(want, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("%s, %s %q, refused %v (-want +got):\n%s", tm.name, place, v, r.Refused, diff)
	}
}

// places are where a member can speak.
var places = []string{"name", "key", "role", "note"}

// TestBuiltinsAndHostileMembers proves that no member gets more out of a
// built-in than its own entry.
func TestBuiltinsAndHostileMembers(t *testing.T) {
	for name, b := range readBuiltins() {
		tm := parseBuiltin(t, name)
		for _, place := range places {
			for _, v := range hostile {
				checkHostile(t, tm, b, place, v)
			}
		}
	}
}

func FuzzBuiltins(f *testing.F) {
	for _, v := range hostile {
		f.Add(v)
	}
	builtins, parsed := readBuiltins(), map[string]*Template{}
	for name := range builtins {
		parsed[name] = parseBuiltin(f, name)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for name, b := range builtins {
			for _, place := range places {
				checkHostile(t, parsed[name], b, place, v)
			}
		}
	})
}

// A port that is none leaves its member out.
func TestBuiltinsAndHostilePorts(t *testing.T) {
	for name, tag := range map[string]string{"prometheus-file-sd": "metrics_port", "ssh-config": "ssh_port",
		"nginx-upstream": "port", "nginx-map": "port", "keepalived-real-servers": "port", "varnish-directors": "port"} {
		tm, vars := parseBuiltin(t, name), readBuiltins()[name].vars
		for _, v := range hostile {
			m := cluster.Member{Name: "m", Addr: netip.MustParseAddr("10.0.0.1"), Tags: map[string]string{tag: v}}
			r, err := tm.Execute(Data{Vars: vars, Members: []cluster.Member{m}})
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
