package main

import "github.com/spf13/cobra"

func (a *app) forceLeaveCommand() *cobra.Command {
	var prune bool
	cmd := &cobra.Command{
		Use:   "force-leave NAME",
		Short: "Have a failed member count as one that left",
		Long: `Have a member that failed count as one that left, so that nobody tries to reach
it again. One that is alive after all comes back by itself.`,
		Example: `  muster force-leave web7
  muster force-leave --prune web7`,
		Args: one("the name of a member"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := client.ForceLeave(cmd.Context(), args[0], prune); err != nil {
				return err
			}
			if !a.wantsJSON() {
				return nil // as Serf's: there is nothing to say
			}
			return a.printSerfJSON(map[string]any{"member": args[0], "prune": prune})
		},
	}
	cmd.Flags().BoolVar(&prune, "prune", false, "have it vanish from the list of members at once")
	a.asksRPC(cmd)
	a.completesMember(cmd, 1)
	a.printsFormats(cmd)
	return cmd
}
