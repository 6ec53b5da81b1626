package muster_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/agent"
	"muster/config"
)

// Every rule of the examples is under test, and the tests pass.
func TestExampleRules(t *testing.T) {
	dirs := map[string]bool{}
	err := filepath.WalkDir("examples", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "muster.hcl" { // an agent's
			if cfg, problems := config.Load(config.Flags{Config: path}); len(problems) > 0 || len(cfg.Services) == 0 {
				t.Errorf("%s: %d services, %v", path, len(cfg.Services), problems)
			}
		} else if strings.HasSuffix(path, ".hcl") {
			dirs[filepath.Dir(path)] = true
		}
		return err
	})
	if err != nil || len(dirs) < 3 {
		t.Fatalf("found only %d rule sets, %v", len(dirs), err)
	}
	for dir := range dirs {
		program, _, problems := agent.Compile(dir)
		if len(problems) > 0 {
			t.Errorf("%s: %v", dir, problems)
			continue
		}
		var tested []string
		for _, test := range program.Set.Tests {
			for _, f := range program.RunTest(test).Failures {
				t.Errorf("%s:%d: %s\n%s", f.File, f.Line, f.Reason, f.Detail)
			}
			for _, e := range test.Expects {
				tested = append(tested, e.Rule)
			}
		}
		for _, rule := range program.Set.Rules {
			if !slices.Contains(tested, rule.Name) {
				t.Errorf("%s: rule %s has no test", dir, rule.Name)
			}
		}
	}
}
