package muster_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// promtool runs Prometheus' own tool in a directory.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("SKIPPED: promtool is missing")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// The alerts are good rules, do what their tests say, and each has a test in
// which it fires.
func TestMonitoringAlerts(t *testing.T) {
	promtool(t, "examples/monitoring", "check", "config", "prometheus.yml")
	promtool(t, "examples/monitoring", "check", "rules", "muster.rules.yml")
	promtool(t, "examples/monitoring", "test", "rules", "muster.rules.test.yml")

	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	for path, into := range map[string]any{"muster.rules.yml": &rules, "muster.rules.test.yml": &tests} {
		if err := yaml.Unmarshal([]byte(read(t, "examples/monitoring/"+path)), into); err != nil {
			t.Fatal(err)
		}
	}
	fires := map[string]bool{}
	for _, test := range tests.Tests {
		for _, a := range test.Alerts {
			fires[a.Name] = fires[a.Name] || len(a.Want) > 0
		}
	}
	count := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			count++
			if !fires[r.Alert] {
				t.Errorf("no test in which %s fires", r.Alert)
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d alerts", count)
	}
}

// The dashboard is one: its queries are PromQL, its panels have names and ids
// of their own and do not lie on each other, its variables are defined. That what it
// asks for is measured, metrics.txtar holds against a running agent.
func TestMonitoringDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Templating struct {
			List []struct{ Name string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ RefID, Expr string }
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "examples/monitoring/dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	defined := []string{"__rate_interval"}
	for _, v := range board.Templating.List {
		defined = append(defined, v.Name)
	}
	var rules []map[string]string
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	variable := regexp.MustCompile(`\$(\w+)`)
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q has no id of its own, no name or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" || at[0] >= 24 {
					t.Fatalf("panel %q lies on %q at %v, or beside the board", p.Title, other, at)
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			for _, m := range variable.FindAllStringSubmatch(target.Expr, -1) {
				if !slices.Contains(defined, m[1]) {
					t.Errorf("%s: no variable %s", p.Title, m[1])
				}
			}
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			record := "x:" + strings.Repeat("y", len(rules)+1) // each its own
			rules = append(rules, map[string]string{"record": record, "expr": expr})
		}
	}
	if len(rules) < 20 || board.UID == "" {
		t.Fatalf("only %d queries, uid %q", len(rules), board.UID)
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queries.yml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "check", "rules", "queries.yml")
}
