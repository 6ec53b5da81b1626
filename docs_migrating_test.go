package muster_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/agent"
	"muster/cluster"
	"muster/rules"
)

// ours are the snippets of muster in docs/migrating.md, by name.
var ours = regexp.MustCompile("(?s)\n`rules\\.d/([a-z.-]+)`, ours:\n\n```[a-z]*\n(.*?)```\n")

// migrated are the members for which they are rendered.
func migrated() []cluster.Member {
	member := func(name, addr string, tags map[string]string) cluster.Member {
		return cluster.Member{Name: name, Addr: netip.MustParseAddr(addr), Port: 7946, Status: cluster.Alive, Tags: tags}
	}
	failed := member("web3", "10.0.0.3", map[string]string{"role": "web", "port": "8080"})
	failed.Status = cluster.Failed
	return []cluster.Member{
		member("app1", "10.0.0.4", map[string]string{"role": "app", "port": "9000", "virtual_host": "shop.example"}),
		member("app2", "fd00::5", map[string]string{"role": "app", "port": "9001", "virtual_host": "shop.example"}),
		member("web1", "10.0.0.1", map[string]string{"role": "web", "port": "8080"}),
		member("web2", "10.0.0.2", map[string]string{"role": "web", "port": "8081"}),
		failed,
	}
}

// rendered are the files that a directory of rules makes of the members.
func rendered(t *testing.T, dir string) map[string]string {
	t.Helper()
	program, _, problems := agent.Compile(dir)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	view, err := agent.OfflineView("web1", migrated())
	if err != nil {
		t.Fatal(err)
	}
	files, err := agent.NewOffline(program, view, t.TempDir()).Render(nil)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		texts[file.Path] = string(file.Text)
	}
	return texts
}

// What the page says becomes of others' examples renders what it should.
func TestMigratedExamples(t *testing.T) {
	dir := t.TempDir()
	for _, snippet := range ours.FindAllStringSubmatch(read(t, "docs/migrating.md"), -1) {
		if tidy, _ := rules.Fmt([]byte(snippet[2]), snippet[1]); strings.HasSuffix(snippet[1], ".hcl") && string(tidy) != snippet[2] {
			t.Errorf("%s (-want +got):\n%s", snippet[1], cmp.Diff(string(tidy), snippet[2]))
		}
		if err := os.WriteFile(filepath.Join(dir, snippet[1]), []byte(snippet[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		// What consul-template 0.39.1 writes for the same two nodes.
		"/etc/nginx/conf.d/web.conf": `upstream web {
  server 10.0.0.1:8080;
  server 10.0.0.2:8081;
}
`,
		"/etc/haproxy/backends/app.cfg": `backend app
  server app1 10.0.0.4:9000
  server app2 [fd00::5]:9001

`,
		"/etc/nginx/conf.d/hosts.conf": `
upstream shop.example {
  server 10.0.0.4:9000;
  server [fd00::5]:9001;
}

`,
		"/etc/nginx/conf.d/web-serf.conf": `upstream web {
  server 10.0.0.1:8080; # web1
  server 10.0.0.2:8080; # web2
}
`,
	}
	if diff := cmp.Diff(want, rendered(t, dir)); diff != "" {
		t.Errorf("docs/migrating.md renders (-want +got):\n%s", diff)
	}
}

// The functions that the page names print what it says.
func TestMigratedFunctions(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "docs/migrating.md"), "| consul-template | muster | prints |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	cell := regexp.MustCompile("^\\| `(.*)` \\| `(.*)` \\| `(.*)` \\|$")
	dir, want := t.TempDir(), map[string]string{}
	for i, row := range strings.Split(table, "\n") {
		cells := cell.FindStringSubmatch(row)
		if cells == nil {
			t.Fatalf("no row: %s", row)
		}
		name := fmt.Sprintf("f%02d", i)
		rule := fmt.Sprintf("rule %q {\n  template {\n    source = \"./%s.tmpl\"\n    destination = \"/%s\"\n  }\n}\n", name, name, name)
		template := strings.ReplaceAll(cells[2], `\|`, "|")
		for file, text := range map[string]string{name + ".hcl": rule, name + ".tmpl": template} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want["/"+name] = cells[3]
	}
	if len(want) < 20 {
		t.Errorf("only %d rows", len(want))
	}
	if diff := cmp.Diff(want, rendered(t, dir)); diff != "" {
		t.Errorf("docs/migrating.md (-want +got):\n%s", diff)
	}
}
