package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/config"
	"muster/rules"
)

func (a *app) validateCommand() *cobra.Command {
	flags := config.Flags{}
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Find every mistake in the rules, the templates and the configuration",
		Long: `Check the configuration and all rules with their templates, without a cluster
and without changing anything. DIR is a rules directory to check instead of
the configured one.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				flags.RulesDir = args[0]
			}
			cfg, problems := config.Load(flags)
			dir := cfg.Rules.Dir
			var count int
			program, more := agent.Compile(dir)
			problems = append(problems, more...)
			if program != nil {
				count = len(program.Set.Rules)
			}
			if a.json {
				if problems == nil {
					problems = rules.Problems{}
				}
				if err := a.printJSON(problems); err != nil {
					return err
				}
				if problems.HasErrors() {
					return exit{code: exitFailed}
				}
				return nil
			}
			if err := a.printProblems(a.err, problems); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: %d rules, no mistakes\n", dir, count)
			return nil
		},
	}
	flags.AddPaths(cmd.Flags())
	a.printsJSON(cmd)
	return cmd
}
