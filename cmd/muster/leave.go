package main

import "github.com/spf13/cobra"

func (a *app) leaveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Have an agent leave the cluster and stop",
		Long: `Have a running agent leave the cluster gracefully and stop. The others see that
it left, not that it failed.`,
		Example: `  muster leave`,
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := client.Leave(cmd.Context()); err != nil {
				return err
			}
			return a.print(map[string]bool{"left": true}, "Graceful leave complete")
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}
