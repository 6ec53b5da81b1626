// Package muster_test holds what is true of the whole repository: which
// package may import which, and who alone may use what.
package muster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "muster"

// house says which of our packages a package may import. Data flows one way:
// cluster, rules, templates, reconcile; only agent knows the whole chain.
var house = map[string][]string{
	"cluster":        {},
	"command":        {},
	"haproxy":        {"human"},
	"rules":          {"cluster"},
	"services":       {"services/bzip2"},
	"publisher":      {"cluster", "command", "services"},
	"templates":      {"cluster", "services"},
	"inventory":      {"cluster"},
	"playbook":       {},
	"config":         {"cluster", "rules", "services", "signing"},
	"reconcile":      {"command", "statedir", "human"},
	"statedir":       {},
	"timeline":       {},
	"signing":        {},
	"logs":           {},
	"telemetry":      {"exposition"},
	"exposition":     {},
	"load":           {},
	"accrual":        {},
	"nodes":          {"cluster", "load", "accrual"},
	"human":          {}, // texts, counts and sizes
	"order":          {"cluster", "signing", "statedir", "human", "logs"},
	"metadata":       {"cluster", "signing", "order", "human"},
	"drain":          {"cluster", "signing", "order"},
	"fleet":          {"cluster", "agent", "reconcile", "human"}, // agent, reconcile for their values
	"launch":         {"cluster", "command", "inventory", "metadata", "nodes"},
	"rpc":            {"cluster", "logs"},
	"actions":        {"cluster", "rules", "command", "signing", "statedir", "timeline", "logs"},
	"agent":          {"cluster", "rules", "templates", "config", "command", "reconcile", "actions", "haproxy", "services", "publisher", "timeline", "human"},
	"page":           {"human", "agent", "nodes", "fleet", "timeline", "publisher", "cluster", "rules", "reconcile", "actions"},                                   // from publisher on for their values
	"web":            {"page", "agent", "timeline", "cluster", "rules", "nodes", "metadata", "fleet", "drain", "publisher", "reconcile", "actions", "exposition"}, // all but the first and last for their values
	"demo":           {"agent", "reconcile", "web", "command"},                                                                                                    // the demo's own cluster: it runs nodes and asks one of them
	"cmd/muster":     {"agent", "web", "config", "rules", "cluster", "command", "reconcile", "demo", "actions", "rpc", "logs", "telemetry", "signing", "inventory", "playbook", "nodes", "order", "metadata", "fleet", "drain", "examples", "services", "publisher", "exposition", "timeline", "page", "launch", "doctor", "human"},
	"doctor":         {"agent", "cluster", "config", "rules", "nodes", "command", "reconcile", "signing", "human"}, // nodes, signing for their values
	"services/bzip2": {},                                                                                           // what services compresses its tag with

	// Rule sets, for init.
	"examples": {},

	// Simulated members, for tests and for each other.
	"cluster/clustertest": {"cluster"},
	// Tools of the build, no part of muster.
	"install/licenses": {},
	"install":          {}, // only tests
}

// owners names the packages that alone may import what begins with the key.
// Tests may import what they want.
var owners = map[string][]string{
	"github.com/hashicorp/serf":           {"cluster", "cluster/clustertest"},
	"github.com/hashicorp/memberlist":     {"cluster", "cluster/clustertest"},
	"github.com/hashicorp/mdns":           {"cluster"},
	"github.com/hashicorp/go-msgpack":     {"cluster", "cluster/clustertest", "rpc"},
	"github.com/hashicorp/go-metrics":     {"telemetry"},
	"log/syslog":                          {}, // a slow syslog would hold up the agent: logs writes to it itself
	"github.com/hashicorp/hcl":            {"rules", "config"},
	"github.com/zclconf/go-cty":           {"rules", "config"},
	"text/template":                       {"templates"},
	"html/template":                       {"page"},
	"github.com/Masterminds/sprig":        {"templates"},
	"os/exec":                             {"command", "demo", "install/licenses"}, // demo: nodes, children in its own process group
	"github.com/fsnotify/fsnotify":        {"reconcile", "agent"},
	"github.com/google/renameio":          {"reconcile", "cluster", "cmd/muster"}, // cmd/muster: fmt, test
	"net/http":                            {"web", "page", "demo"},                // demo: the nodes' service, and requests to it
	"github.com/prometheus/client_golang": {},                                     // 2.4 MB with its protobuf: exposition writes the format
	"github.com/coreos/go-systemd":        {"agent", "cmd/muster"},
	"github.com/spf13/cobra":              {"cmd/muster"},
	"github.com/spf13/pflag":              {"cmd/muster", "config"},
	"gopkg.in/yaml.v3":                    {"playbook"},
	"github.com/aymanbagabas/go-udiff":    {"agent", "reconcile", "cmd/muster", "demo"},
	"os/signal":                           {"cmd/muster"},
	"golang.org/x/term":                   {"cmd/muster"},
	"testing":                             {"cluster/clustertest"},
	"github.com/stretchr/testify":         {},
	"github.com/hashicorp/serf/cmd":       {},
	"github.com/hashicorp/serf/testutil":  {},
}

// enders names the packages that alone may end the process.
var enders = []string{"cmd/muster", "install/licenses"}

// A pkg is what the rules need to know of one of our packages: its path below
// the root, and what its files other than tests do.
type pkg struct {
	Name    string
	Imports []string
	Ends    []string // positions where it ends the process
}

// violations returns one line for each broken rule, sorted.
func violations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		allowed, known := house[p.Name]
		if !known {
			out = append(out, fmt.Sprintf("%s is not in the plan of the house; say in imports_test.go what it may import", p.Name))
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, root+"/"); ok {
				if known && !slices.Contains(allowed, ours) {
					out = append(out, fmt.Sprintf("%s must not import %s", p.Name, ours))
				}
				continue
			}
			if owned, key := owner(imp); key != "" && !slices.Contains(owned, p.Name) {
				out = append(out, fmt.Sprintf("%s must not import %s; that is for %s", p.Name, imp, orNobody(owned)))
			}
		}
		if !slices.Contains(enders, p.Name) {
			for _, at := range p.Ends {
				out = append(out, fmt.Sprintf("%s ends the process at %s; that is for %s", p.Name, at, orNobody(enders)))
			}
		}
	}
	slices.Sort(out)
	return out
}

// owner finds the longest key of owners that imp is or lies under.
func owner(imp string) (owned []string, key string) {
	for k, names := range owners {
		if (imp == k || strings.HasPrefix(imp, k+"/")) && len(k) > len(key) {
			owned, key = names, k
		}
	}
	return owned, key
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

func TestImports(t *testing.T) {
	pkgs := load(t)
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
	if names := slices.Sorted(maps.Keys(house)); len(pkgs) < 3 || len(names) < len(pkgs) {
		t.Errorf("read only %d packages for a house of %d", len(pkgs), len(names))
	}
}

// load reads every package of the module.
func load(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Dir  string
			Imports, GoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == root {
			continue // only tests live here
		}
		one := pkg{Name: strings.TrimPrefix(p.ImportPath, root+"/"), Imports: p.Imports}
		for _, f := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, f), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			one.Ends = append(one.Ends, ends(fset, file)...)
		}
		pkgs = append(pkgs, one)
	}
}

// ends lists where a file ends the process.
func ends(fset *token.FileSet, file *ast.File) []string {
	var at []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			switch name := x.Name + "." + sel.Sel.Name; name {
			case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit", "unix.Exit":
				p := fset.Position(n.Pos())
				at = append(at, fmt.Sprintf("%s:%d (%s)", filepath.Base(p.Filename), p.Line, name))
			}
		}
		return true
	})
	return at
}

// The rules catch what they are there for.
func TestViolationsAreFound(t *testing.T) {
	got := violations([]pkg{
		{Name: "cluster", Imports: []string{"fmt", "github.com/hashicorp/serf/serf", "muster/rules"}},
		{Name: "rules", Imports: []string{"github.com/hashicorp/hcl/v2/hclsyntax", "github.com/hashicorp/serf/serf", "muster/cluster"}},
		{Name: "templates", Imports: []string{"text/template/parse", "os/exec", "muster/cluster/clustertest"}},
		{Name: "agent", Imports: []string{"muster/cluster", "net/http"}, Ends: []string{"agent.go:7 (os.Exit)"}},
		{Name: "config", Imports: []string{"github.com/spf13/pflag", "github.com/spf13/cobra", "github.com/hashicorp/serf/cmd/serf/command/agent"}},
		{Name: "cmd/muster", Imports: []string{"github.com/spf13/cobra", "muster/web", "muster/templates"}, Ends: []string{"main.go:3 (os.Exit)"}},
		{Name: "helpers", Imports: []string{"muster/agent"}},
	})
	want := []string{
		"agent ends the process at agent.go:7 (os.Exit); that is for cmd/muster, install/licenses",
		"agent must not import net/http; that is for web, page, demo",
		"cluster must not import rules",
		"cmd/muster must not import templates",
		"config must not import github.com/hashicorp/serf/cmd/serf/command/agent; that is for nobody",
		"config must not import github.com/spf13/cobra; that is for cmd/muster",
		"helpers is not in the plan of the house; say in imports_test.go what it may import",
		"rules must not import github.com/hashicorp/serf/serf; that is for cluster, cluster/clustertest",
		"templates must not import cluster/clustertest",
		"templates must not import os/exec; that is for command, demo, install/licenses",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestEndsAreFound(t *testing.T) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", `package x

import "os"

func f() { defer os.Exit(1); os.Getenv("HOME") }
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x.go:5 (os.Exit)"}, ends(fset, file)); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
}
