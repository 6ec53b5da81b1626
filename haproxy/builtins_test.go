package haproxy

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/templates"
)

// golden is what a built-in template writes, with addresses of this host, for
// haproxy connects to them.
func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "templates", "testdata", name+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("10.0.0.", "127.9.0.", "fd00::2", "::1", "mode tcp", "mode http").Replace(string(text))
}

// What the built-in templates write can be pushed, from any number of members
// to any other.
func TestBuiltinsArePushable(t *testing.T) {
	for _, name := range []string{"haproxy-backend.", "haproxy-server-template."} {
		p := newProxy(t, golden(t, name+"none"))
		r := p.runtime(0)
		for _, c := range []string{"none", "three", "one", "none", "one", "three"} {
			text := golden(t, name+c)
			if err := Pushable([]byte(golden(t, name+"three")), []byte(text)); err != nil {
				t.Errorf("%s%s: %v", name, c, err)
			}
			p.push(r, text)
			want := map[string]int{"none": 0, "one": 1, "three": 3}[c]
			if got := strings.Count(strings.Join(p.servers("web"), "\n"), " ready"); got != want {
				t.Errorf("%s%s: %q", name, c, p.servers("web"))
			}
			p.quiet(r, text)
		}
		p.want("web", map[string][]string{
			"haproxy-backend.": {"web1 127.9.0.1 8080 weight 1 ready", "web2 ::1 8081 weight 1 ready", "web3 127.9.0.3 8080 weight 1 ready"},
			"haproxy-server-template.": {"slot1 127.9.0.1 8080 weight 1 ready", "slot10 0.0.0.0 1 weight 1 maint", "slot2 ::1 8081 weight 1 ready",
				"slot3 127.9.0.3 8080 weight 1 ready", "slot4 0.0.0.0 1 weight 1 maint", "slot5 0.0.0.0 1 weight 1 maint", "slot6 0.0.0.0 1 weight 1 maint",
				"slot7 0.0.0.0 1 weight 1 maint", "slot8 0.0.0.0 1 weight 1 maint", "slot9 0.0.0.0 1 weight 1 maint"},
		}[name]...)
	}
	// With another port of the rule's all servers move; with weights they weigh.
	p := newProxy(t, "backend web\n    mode http\n    balance leastconn\n")
	p.push(p.runtime(0), golden(t, "haproxy-backend.vars"))
	if diff := cmp.Diff([]string{"web1 127.9.0.1 8080 weight 1 ready", "web2 ::1 8081 weight 5 ready", "web3 127.9.0.3 8080 weight 100 ready"}, p.servers("web")); diff != "" {
		t.Error(diff)
	}
}

// built renders a built-in for sites, every second one of which is on ::1.
func built(t *testing.T, name string, sites []*site) string {
	t.Helper()
	text, format, _ := templates.Builtin(name)
	tm, err := templates.Parse(text, templates.Options{Name: name, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"backend": "web", "check": false}
	if name == "haproxy-server-template" {
		vars["slots"] = 500
	}
	var ms []cluster.Member
	for i, s := range sites {
		at := netip.MustParseAddrPort(s.addr)
		ms = append(ms, cluster.Member{Name: fmt.Sprintf("web%03d", i), Addr: at.Addr(), Status: cluster.Alive, Tags: map[string]string{"port": fmt.Sprint(at.Port())}})
	}
	r, err := tm.Execute(templates.Data{Rule: "web", Members: ms, Vars: vars})
	if err != nil || len(r.Refused) > 0 {
		t.Fatal(err, r.Refused)
	}
	return string(r.Bytes)
}

// Real haproxy serves from each member that a built-in names, and its socket
// says the same: told of them, and after a reload.
func TestBuiltinsAreServed(t *testing.T) {
	var sites []*site
	for i := range 500 {
		sites = append(sites, newSite(t, []string{"127.0.0.1:0", "[::1]:0"}[i%2]))
	}
	for _, name := range []string{"haproxy-backend", "haproxy-server-template"} {
		p := newProxy(t, built(t, name, nil))
		for _, n := range []int{0, 1, 3, 500} {
			text := built(t, name, sites[:n])
			p.push(p.runtime(0), text)
			serves(t, p, fmt.Sprintf("%s, told of %d", name, n), sites[:n])
			p.write(text)
			p.reload()
			p.push(p.runtime(0), text) // a reload has the slots disabled
			serves(t, p, fmt.Sprintf("%s, reloaded with %d", name, n), sites[:n])
		}
	}
}

// serves expects that each of the sites is ready, and answers, and nobody else.
func serves(t *testing.T, p *proxy, what string, sites []*site) {
	t.Helper()
	want, ready := map[string]bool{}, map[string]bool{}
	for _, s := range sites {
		want[s.addr] = true
	}
	for _, s := range p.servers("web") {
		if f := strings.Fields(s); f[len(f)-1] == "ready" {
			ready[net.JoinHostPort(f[1], f[2])] = true
		}
	}
	if diff := cmp.Diff(want, ready); diff != "" {
		t.Errorf("%s: the socket says (-want +got):\n%s", what, diff)
	}
	client, answered := newClient(), map[string]bool{}
	for range 3*len(sites) + 1 { // they take turns, but one that is new may come late
		body, err := get(client, "http://"+p.front+"/")
		switch {
		case len(sites) == 0 && (err == nil || !strings.Contains(err.Error(), "503")):
			t.Errorf("%s: %q, %v", what, body, err)
		case len(sites) > 0 && err != nil:
			t.Fatalf("%s: %v", what, err)
		case err == nil:
			answered[body] = true
		}
		if len(answered) == len(sites) {
			break
		}
	}
	if diff := cmp.Diff(want, answered); diff != "" {
		t.Errorf("%s: those who answered (-want +got):\n%s", what, diff)
	}
}
