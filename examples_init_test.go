package muster_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/agent"
	"muster/cluster"
	"muster/examples"
	"muster/rules"
)

// What `muster init` writes is the examples: valid one by one, in the canonical
// layout, in force nowhere, and the example again once the blocks are deleted.
func TestInitRules(t *testing.T) {
	sets, err := examples.All()
	if err != nil {
		t.Fatal(err)
	}
	idle := regexp.MustCompile(`(?m)^\n  # Not in force[^{}]*\n  self \{\n    where = false\n  \}\n`)
	found := map[string]bool{}
	for _, set := range sets {
		found[set.Consumer] = true
		dir := t.TempDir()
		text := set.Text(false)
		path := filepath.Join(dir, "rules.hcl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		program, _, problems := agent.Compile(dir)
		if len(problems) > 0 {
			t.Errorf("%s: %v", set.Consumer, problems)
			continue
		}
		if len(program.Set.Rules) != len(set.Rules) {
			t.Errorf("%s: %d rules, of which %d begin as they should", set.Consumer, len(program.Set.Rules), len(set.Rules))
		}
		for _, rule := range program.Set.Rules {
			if rule.InForce(cluster.Member{Name: "n", Status: cluster.Alive}) {
				t.Errorf("%s: %s is in force", set.Consumer, rule.Name)
			}
			if rule.Acts() {
				t.Errorf("%s: %s acts", set.Consumer, rule.Name)
			}
		}
		if tidy, _ := rules.Fmt([]byte(text), path); string(tidy) != text {
			t.Errorf("%s (-want +got):\n%s", set.Consumer, cmp.Diff(string(tidy), text))
		}
		_, bare, _ := strings.Cut(idle.ReplaceAllString(text, ""), "\n\n")
		if diff := cmp.Diff(set.Text(true), bare); diff != "" {
			t.Errorf("%s without its blocks (-in force +bare):\n%s", set.Consumer, diff)
		}
		if strings.Contains(text, "muster init writes it") || len(set.Finds) == 0 || set.Description == "" {
			t.Errorf("%s: %+v", set.Consumer, set)
		}
	}
	// No rule file of the examples is forgotten.
	files, err := filepath.Glob("examples/*/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if consumer := filepath.Base(filepath.Dir(file)); !strings.HasSuffix(file, ".test.hcl") && !found[consumer] {
			t.Errorf("%s does not say where `muster init` is to write it", file)
		}
	}
}
