package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

func (a *app) rttCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rtt NAME [NAME]",
		Short: "Estimate the round-trip time between two members",
		Long: `Estimate the network's round-trip time between two members, or between one and
the agent's own node, from the network coordinates that they gossip. Nothing is
sent to them.`,
		Example: `  muster rtt web1
  muster rtt web1 db1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("missing argument: the name of a member, or of two")
			}
			if len(args) > 2 {
				return fmt.Errorf("unknown argument %q: one or two members are taken", args[2])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			if len(args) == 1 {
				self, err := selfName(cmd.Context(), client)
				if err != nil {
					return err
				}
				args = append(args, self)
			}
			rtt, err := estimate(cmd.Context(), client, args[0], args[1])
			if err != nil {
				return err
			}
			return a.print(map[string]any{"members": args, "rtt": rtt},
				fmt.Sprintf("Estimated %s <-> %s rtt: %.3f ms", plain(args[0]), plain(args[1]), rtt.Seconds()*1000))
		},
	}
	a.asksRPC(cmd)
	a.completesMember(cmd, 2)
	a.printsFormats(cmd)
	return cmd
}

// estimate is the round-trip time between two members by their coordinates.
func estimate(ctx context.Context, client *rpc.Client, from, to string) (time.Duration, error) {
	var ends [2]*cluster.Coordinate
	for i, name := range []string{from, to} {
		coordinate, err := client.Coordinate(ctx, name)
		if errors.Is(err, rpc.ErrNoCoordinate) {
			return 0, fmt.Errorf("cannot estimate: there is no coordinate of %q: `muster members` lists the names; a member that has just come has none for a moment", name)
		}
		if err != nil {
			return 0, err
		}
		ends[i] = coordinate
	}
	if !ends[0].IsCompatibleWith(ends[1]) {
		return 0, fmt.Errorf("cannot estimate: the coordinates of %q and %q have different dimensions", from, to)
	}
	return ends[0].DistanceTo(ends[1]), nil
}
