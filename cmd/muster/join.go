package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) joinCommand() *cobra.Command {
	var replay bool
	cmd := &cobra.Command{
		Use:   "join ADDRESS...",
		Short: "Have an agent join a cluster",
		Long: `Have a running agent join the cluster that one of the addresses belongs to. One
is enough: the agent learns of the others from it. An address is HOST[:PORT], or
NAME/HOST[:PORT] where the node's name is to be right, too.`,
		Example: `  muster join 10.0.0.1 10.0.0.2:7947`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("missing argument: the address of a node to join")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			n, err := client.Join(cmd.Context(), args, replay)
			if err != nil {
				return err
			}
			return a.print(map[string]int{"contacted": n}, fmt.Sprintf("Successfully joined cluster by contacting %d nodes.", n))
		},
	}
	cmd.Flags().BoolVar(&replay, "replay", false, "hear the user events that were sent before, too")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}
