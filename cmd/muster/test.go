package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/config"
)

// A testCommand is one `muster test`.
type testCommand struct {
	run             string
	verbose, update bool
}

func (a *app) testCommand() *cobra.Command {
	t := testCommand{}
	flags := config.Flags{}
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the rules' own tests",
		Long: `Run the tests in *.test.hcl: each says which members there are, and what a rule
must make of them. No cluster is needed, nothing is run, and nothing but golden
files with --update is written. DIR is a rules directory to test instead of the
configured one. The exit code is 1 if a test fails.`,
		Args: atMostOne("a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			match, err := regexp.Compile(t.run)
			if err != nil {
				return usage(cmd, fmt.Errorf("cannot use --run: %w", err))
			}
			if len(args) == 1 {
				return a.test(args[0], match, t)
			}
			cfg, problems := config.Load(flags)
			if err := a.printProblems(a.err, problems); err != nil {
				return err
			}
			return a.test(cfg.Rules.Dir, match, t)
		},
	}
	cmd.Flags().StringVar(&t.run, "run", "", "run only the tests whose names `REGEXP` matches")
	cmd.Flags().BoolVarP(&t.verbose, "verbose", "v", false, "list the tests that pass, too")
	cmd.Flags().BoolVar(&t.update, "update", false, "rewrite the golden files that differ: those that equals = file(…) names")
	flags.AddPathFlags(cmd.Flags())
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON, one event a line, as go test -json does")
	return cmd
}

// A tested is a test that was run.
type tested struct {
	name    string // no other has it
	result  agent.TestResult
	elapsed time.Duration
}

// test runs the tests of a directory.
func (a *app) test(dir string, match *regexp.Regexp, t testCommand) error {
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	began := time.Now()
	p := &testPrinter{out: a.out, json: a.json, verbose: t.verbose || a.json, dir: filepath.Clean(dir), paint: painter(color && !a.json)}
	p.event("start", "", 0)
	program, _, problems := agent.Compile(dir)
	if err := a.printProblems(a.err, problems); err != nil {
		p.end("fail", "FAIL\t"+p.dir+" [the rules have mistakes]", time.Since(began))
		return p.failure(err)
	}
	if len(program.Set.Tests) == 0 {
		p.end("skip", "?   \t"+p.dir+"\t[no tests]", time.Since(began))
		return p.failure(nil)
	}
	var all []tested
	seen := map[string]int{}
	for _, test := range program.Set.Tests {
		name := test.Name
		if n := seen[name]; n > 0 { // as go test tells them apart
			name = fmt.Sprintf("%s#%02d", name, n)
		}
		seen[test.Name]++
		if match.MatchString(name) {
			start := time.Now()
			result := program.RunTest(test)
			all = append(all, tested{name, result, time.Since(start)})
		}
	}
	var updated []string
	if t.update {
		updated = updateGolden(dir, all)
	}
	if failed := p.results(all, updated, time.Since(began)); failed > 0 {
		return p.failure(exit{code: exitFailed})
	}
	return p.failure(nil)
}
