package templates

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

var update = flag.Bool("update", false, "write the golden files")

// builtinCases are what the golden files show: testdata/NAME.CASE.golden.
func builtinCases() map[string]Data {
	ms := []cluster.Member{
		{Name: "web1", Addr: netip.MustParseAddr("10.0.0.1"), Status: cluster.Alive, Tags: map[string]string{"role": "web"}},
		{Name: "web2", Addr: netip.MustParseAddr("fd00::2"), Status: cluster.Alive, Tags: map[string]string{"role": "web", "port": "8081", "weight": "5"}},
		{Name: "web3", Addr: netip.MustParseAddr("::ffff:10.0.0.3"), Status: cluster.Alive, Tags: map[string]string{"weight": "100"}},
	}
	vars := map[string]any{"upstream": "web", "backend": "web", "port": 8080, "variable": "$node", "director": "web", "slots": 10,
		"virtual": "10.9.9.9", "virtual_port": 80, "lvs_method": "TUN"}
	all := map[string]any{"upstream": "web", "backend": "web", "port": "8080", "weight_tag": "weight", "zone": "web", "max_fails": 0,
		"fail_timeout": "5s", "method": "least_conn", "keepalive": 16, "mode": "tcp", "balance": "leastconn", "check": false,
		"port_tag": "port", "tags": []any{"weight"}, "labels": map[string]any{"env": "prod", "shard": 1},
		"domain": "nodes.example.org", "group_tag": "role", "user": "admin",
		"variable": "$node", "source": "$http_x_node", "default": "127.0.0.1:9", "hostnames": true, "max_key": 110,
		"director": "web", "kind": "random", "probe": "/health", "host_header": "web.example", "connect_timeout": "1s", "max_connections": 100,
		"first_byte_timeout": "9s", "between_bytes_timeout": "8s", "short": true, "slots": 20,
		"virtual": "fd00::9", "virtual_port": 80, "lvs_method": "TUN", "lvs_sched": "wrr", "persistence_timeout": 60, "sorry_server": "fd00::8"}
	hostile := []cluster.Member{ms[0],
		{Name: "web2", Addr: ms[1].Addr, Tags: map[string]string{"port": "80;}\nserver{", "weight": "1 backup"}},
		{Name: "web3", Addr: ms[2].Addr, Tags: map[string]string{"port": "http"}},
		{Name: "web4", Addr: ms[2].Addr, Tags: map[string]string{"weight": "9999"}},
		{Name: "web5", Tags: map[string]string{}},
	}
	return map[string]Data{
		"none":    {Rule: "web", Vars: vars},
		"one":     {Rule: "web", Vars: vars, Members: ms[:1]},
		"three":   {Rule: "web", Vars: vars, Members: ms},
		"vars":    {Rule: "web", Vars: all, Members: ms},
		"hostile": {Rule: "web", Vars: all, Members: hostile},
	}
}

func renderBuiltin(t *testing.T, name string, d Data) Result {
	t.Helper()
	r, err := parseBuiltin(t, name).Execute(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBuiltins(t *testing.T) {
	for _, name := range Builtins() {
		for c, d := range builtinCases() {
			r := renderBuiltin(t, name, d)
			golden := filepath.Join("testdata", name+"."+c+".golden")
			if *update {
				if err := os.WriteFile(golden, r.Bytes, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(r.Bytes)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
			if hostile := c == "hostile"; hostile != (len(r.Refused) > 0) {
				t.Errorf("%s: refused %+v", golden, r.Refused)
			}
		}
	}
}

// Those that are a block of a file say nothing of the rest of it.
func TestBuiltinBlock(t *testing.T) {
	for _, name := range append(Builtins(), "", "nosuch", "/etc/hosts.tmpl") {
		want := map[string]string{"hosts-block": "#"}[name]
		if got := BuiltinBlock(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestBuiltinsAreKept proves that what the built-ins print for a member is
// kept, and printed without text/template where that is simple enough. In JSON
// it depends on the member's place in the list: commas stand between.
func TestBuiltinsAreKept(t *testing.T) {
	for _, name := range Builtins() {
		tm := parseBuiltin(t, name)
		if name == "nginx-map" || name == "keepalived-real-servers" { // they depend on what others have taken
			continue
		}
		if name == "varnish-directors" { // its second list, which needs text/template
			tm.blocks = tm.blocks[:1]
		}
		native := tm.format == Nginx || tm.format == Haproxy || tm.format == INI
		if name == "ansible-hosts" { // its groups are not lists of .Members
			tm.blocks = tm.blocks[:1]
		}
		switch {
		case tm.format == JSON:
			if len(tm.blocks) != 1 || tm.blocks[0].keep || !tm.blocks[0].native {
				t.Errorf("%s: blocks %v", name, tm.blocks)
			}
		case len(tm.blocks) != 1 || !tm.blocks[0].keep || tm.blocks[0].native != native:
			t.Errorf("%s: blocks %v", name, tm.blocks)
		}
	}
}

func TestNginxTakesBuiltin(t *testing.T) {
	nginx := program(t, "nginx")
	for c, d := range builtinCases() {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "upstream.conf"), renderBuiltin(t, "nginx-upstream", d).Bytes)
		// No server block: nginx -t then touches nothing outside the directory.
		conf := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\n access_log off;\n include %s/upstream.conf;\n}\n", dir, dir)
		write(t, filepath.Join(dir, "nginx.conf"), []byte(conf))
		out, err := exec.Command(nginx, "-t", "-q", "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", c, err, out)
		}
	}
}

func TestHaproxyTakesBuiltin(t *testing.T) {
	haproxy := program(t, "haproxy")
	for c, d := range builtinCases() {
		dir := t.TempDir()
		base := "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend f\n mode http\n bind 127.0.0.1:65000\n"
		if d.Vars["mode"] == "tcp" {
			base += " mode tcp\n"
		}
		base += " default_backend web\n"
		write(t, filepath.Join(dir, "base.cfg"), []byte(base))
		write(t, filepath.Join(dir, "web.cfg"), renderBuiltin(t, "haproxy-backend", d).Bytes)
		out, err := exec.Command(haproxy, "-c", "-q", "-f", filepath.Join(dir, "base.cfg"), "-f", filepath.Join(dir, "web.cfg")).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", c, err, out)
		}
	}
}

// program finds a program that Debian keeps in /usr/sbin.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath("/usr/sbin/" + name)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("this test needs %s, and on CI nothing may be missing", name)
	default:
		t.Skipf("SKIPPED: this test needs %s: run `make deps`", name)
	}
	return path
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The vars that a built-in is said to take are those that it asks for, and each
// is documented.
func TestBuiltinVars(t *testing.T) {
	page, err := os.ReadFile("../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Builtins() {
		text, _, _ := Builtin(name)
		_, text, _ = strings.Cut(text, "*/") // it begins with a comment about them
		asked := map[string]bool{}
		for _, m := range regexp.MustCompile(`\.Vars[. "]+([a-z_]+)`).FindAllStringSubmatch(text, -1) {
			asked[m[1]] = true
		}
		if strings.Contains(text, "promLabels $m $.Vars") {
			asked["tags"], asked["labels"] = true, true
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(asked)), slices.Sorted(slices.Values(BuiltinVars(name)))); diff != "" {
			t.Errorf("%s (-asked for +declared):\n%s", name, diff)
		}
		_, section, _ := strings.Cut(string(page), "### "+name+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		for _, v := range BuiltinVars(name) {
			if !strings.Contains(section, "`"+v+"`") {
				t.Errorf("docs/templates.md does not have the var %s of %s", v, name)
			}
		}
	}
}
