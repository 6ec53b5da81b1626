package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muster/rules"
	"muster/web"
)

func (a *app) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the agent read its rules again",
		Long: `Have the running agent read its rules and templates again, as SIGHUP does. With
a mistake in them the rules in force stay in force, and the exit code is 1.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			problems, err := web.NewClient(socketPath(a.socket)).Reload(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				if problems == nil {
					problems = rules.Problems{}
				}
				if err := a.printJSON(problems); err != nil {
					return err
				}
			} else if err := a.printProblems(a.err, problems); err != nil {
				fmt.Fprintln(a.err, "The rules that were in force stay in force.")
				return err
			}
			if problems.HasErrors() {
				return exit{code: exitFailed}
			}
			return nil
		},
	}
	a.asksAgent(cmd)
	a.printsJSON(cmd)
	return cmd
}
