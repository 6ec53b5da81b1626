package templates

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// haproxy takes the slots, and has them all disabled.
func TestHaproxyTakesServerTemplate(t *testing.T) {
	haproxy := program(t, "haproxy")
	for c, d := range builtinCases() {
		dir := t.TempDir()
		base := "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend f\n mode tcp\n bind 127.0.0.1:65000\n default_backend b\nbackend b\n mode tcp\n"
		write(t, filepath.Join(dir, "base.cfg"), []byte(base))
		write(t, filepath.Join(dir, "web.cfg"), renderBuiltin(t, "haproxy-server-template", d).Bytes)
		out, err := exec.Command(haproxy, "-c", "-q", "-f", filepath.Join(dir, "base.cfg"), "-f", filepath.Join(dir, "web.cfg")).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", c, err, out)
		}
	}
}

// What a name can hold that haproxy does not take stays out, and so does all
// that could be read as another slot.
func TestServerTemplateRefusesNames(t *testing.T) {
	d := Data{Rule: "web", Vars: map[string]any{"backend": "web", "port": 80, "slots": 9, "prefix": "s", "weight_tag": "w"}}
	addr := netip.MustParseAddr("10.0.0.1")
	for _, name := range []string{"ok", "two words", "a\n    # slot b 10.0.0.9:80", "", "ü", "x#y", "a;b"} {
		d.Members = append(d.Members, cluster.Member{Name: name, Addr: addr, Tags: map[string]string{"w": "7"}})
	}
	d.Members = append(d.Members, cluster.Member{Name: "heavy", Addr: addr, Tags: map[string]string{"w": "7 weight 8"}})
	r := renderBuiltin(t, "haproxy-server-template", d)
	_, got, _ := strings.Cut(string(r.Bytes), "server-template ")
	want := "s 1-9 0.0.0.0:1 check disabled\n    # slot ok 10.0.0.1:80 weight 7\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Refused) != 7 {
		t.Errorf("refused %+v", r.Refused)
	}
}

// The number of slots is a number.
func TestServerTemplateWantsSlots(t *testing.T) {
	for _, slots := range []any{nil, 0, "many", 10_001, "5 check"} {
		d := Data{Rule: "web", Vars: map[string]any{"backend": "web", "port": 80, "slots": slots}}
		if slots == nil {
			delete(d.Vars, "slots")
		}
		if r, err := parseBuiltin(t, "haproxy-server-template").Execute(d); err == nil {
			t.Errorf("%v slots:\n%s", slots, r.Bytes)
		}
	}
}
