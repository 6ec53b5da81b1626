package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

// tagBudget is how many bytes a node's tags may take when gossiped.
const tagBudget = 512

func (a *app) tagsCommand() *cobra.Command {
	var set, remove []string
	cmd := &cobra.Command{
		Use:   "tags",
		Short: "Show or change the tags of an agent's node",
		Long: `Change the tags of a running agent's node. The others hear of it, and with a
tags file they outlast a restart. Without a change the tags are shown, and how
many of the 512 bytes that they may take are used.`,
		Example: `  muster tags
  muster tags --set role=web --delete spare`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tags, err := tagPairs("--set", set)
			if err != nil {
				return usage(cmd, err)
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			if len(set)+len(remove) == 0 {
				return a.showTags(cmd.Context(), client)
			}
			if err := client.SetTags(cmd.Context(), tags, remove); err != nil {
				return err
			}
			return a.print(map[string]any{"set": tags, "delete": append([]string{}, remove...)}, "Successfully updated agent tags")
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "set a tag, `KEY=VALUE`; may be given again")
	cmd.Flags().StringArrayVar(&remove, "delete", nil, "remove the tag `KEY`; may be given again")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// showTags prints the tags of the agent's own node.
func (a *app) showTags(ctx context.Context, client *rpc.Client) error {
	self, err := selfName(ctx, client)
	if err != nil {
		return err
	}
	members, err := client.Members(ctx, rpc.Filter{Name: regexp.QuoteMeta(self)})
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return fmt.Errorf("cannot show the tags: the agent does not list its own node, %s", plain(self))
	}
	tags := members[0].Tags
	if a.wantsJSON() {
		return a.printSerfJSON(map[string]any{"node": self, "tags": tags, "bytes": cluster.TagSize(tags), "max": tagBudget})
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		fmt.Fprintln(a.out, plain(key+"="+tags[key]))
	}
	fmt.Fprintf(a.err, "%d of %d bytes used\n", cluster.TagSize(tags), tagBudget)
	return nil
}

// selfName is the name of the agent's own node.
func selfName(ctx context.Context, client *rpc.Client) (string, error) {
	stats, err := client.Stats(ctx)
	if err != nil {
		return "", err
	}
	name := stats["agent"]["name"]
	if name == "" {
		return "", errors.New("cannot ask about the agent's own node: it does not say what its name is")
	}
	return name, nil
}
