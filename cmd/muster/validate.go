package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/config"
	"muster/human"
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
		Args: atMostOne("a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := cmd.Flags().Set("rules", args[0]); err != nil {
					return err
				}
			}
			cfg, problems := config.Load(flags)
			dir := cfg.Rules.Dir
			if len(args) == 1 {
				dir = args[0] // as it was typed
			}
			found := 0
			program, _, more := agent.Compile(dir)
			problems = append(problems, more...)
			if program != nil {
				found = len(program.Set.Rules)
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
			fmt.Fprintf(a.out, "%s: %s, no mistakes\n", dir, human.Count(found, "rule"))
			return nil
		},
	}
	flags.AddPathFlags(cmd.Flags())
	a.printsJSON(cmd)
	return cmd
}
