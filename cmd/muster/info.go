package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) infoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show an agent's counters and versions",
		Long: `Show what a running agent says of itself: its name and tags, how many members
there are, how much waits in its queues, the versions of its parts.`,
		Example: `  muster info
  muster info --json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			stats, err := client.Stats(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(stats, infoText(stats))
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// infoText is the agent's statistics as Serf's command prints them.
func infoText(stats map[string]map[string]string) string {
	var text strings.Builder
	for _, section := range slices.Sorted(maps.Keys(stats)) {
		fmt.Fprintf(&text, "%s:\n", plain(section))
		for _, key := range slices.Sorted(maps.Keys(stats[section])) {
			fmt.Fprintf(&text, "\t%s = %s\n", plain(key), plain(stats[section][key]))
		}
	}
	return strings.TrimSpace(text.String())
}
