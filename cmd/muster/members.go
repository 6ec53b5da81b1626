package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/web"
)

func (a *app) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the members that the agent knows",
		Long: `List every member that the running agent knows, alive or not. The JSON is a
list, and what --members of plan, apply and render reads.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			members, err := web.NewClient(socketPath(a.socket)).Members(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(members)
			}
			t := newTable(a.out, "NAME", "ADDRESS", "STATUS", "TAGS")
			for _, m := range members {
				t.row(m.Name, netip.AddrPortFrom(m.Addr, m.Port).String(), string(m.Status), tagList(m))
			}
			t.flush()
			return nil
		},
	}
	a.asksAgent(cmd)
	a.printsJSON(cmd)
	return cmd
}

// tagList is a member's tags as Serf's own CLI prints them.
func tagList(m cluster.Member) string {
	var tags []string
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		tags = append(tags, fmt.Sprintf("%s=%s", k, m.Tags[k]))
	}
	return strings.Join(tags, ",")
}
