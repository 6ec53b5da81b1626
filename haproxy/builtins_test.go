package haproxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
