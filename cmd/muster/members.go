package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

func (a *app) membersCommand() *cobra.Command {
	var filter memberFilter
	var detailed bool
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the members that an agent knows",
		Long: `List the members that a running agent knows, whatever their status. The regular
expressions must match the whole of what they are about.

With --json this is a list, and what --members of plan, apply and render reads;
with --format=json it is what Serf's own command prints.`,
		Example: `  muster members --status alive --tag role=web
  muster members --name 'web-[0-9]+' --detailed`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := filter.parse()
			if err != nil {
				return usage(cmd, err)
			}
			if filter.role != "" {
				fmt.Fprintln(a.err, "--role is deprecated: use --tag role=REGEXP")
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			members, err := client.Members(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			return a.printMembers(members, detailed)
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed", false, "show the protocol versions, too")
	cmd.Flags().StringVar(&filter.status, "status", "", "only members whose status matches `REGEXP`")
	cmd.Flags().StringVar(&filter.name, "name", "", "only members whose name matches `REGEXP`")
	cmd.Flags().StringVar(&filter.role, "role", "", "only members whose tag role matches `REGEXP`; deprecated")
	cmd.Flags().StringArrayVar(&filter.tags, "tag", nil, "only members with this tag, `KEY=REGEXP`; may be given again")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// A memberFilter is the flags that choose members.
type memberFilter struct {
	status, name, role string
	tags               []string
}

// parse checks the regular expressions.
func (f memberFilter) parse() (rpc.Filter, error) {
	tags := f.tags
	if f.role != "" {
		tags = append(slices.Clone(tags), "role="+f.role)
	}
	byTag, err := tagPatterns(tags)
	if err != nil {
		return rpc.Filter{}, err
	}
	status, err := pattern("--status", f.status)
	if err != nil {
		return rpc.Filter{}, err
	}
	name, err := pattern("--name", f.name)
	if err != nil {
		return rpc.Filter{}, err
	}
	return rpc.Filter{Tags: byTag, Status: status, Name: name}, nil
}

// printMembers prints members in the order of their names.
func (a *app) printMembers(members []rpc.Member, detailed bool) error {
	slices.SortFunc(members, func(x, y rpc.Member) int { return strings.Compare(x.Name, y.Name) })
	if a.json {
		list := []cluster.Member{}
		for _, m := range members {
			list = append(list, m.Member)
		}
		return a.printJSON(list)
	}
	var table serfMembers
	var rows [][]string
	for _, m := range members {
		addr := netip.AddrPortFrom(m.Addr.Unmap(), m.Port).String()
		table.Members = append(table.Members, serfMember{m.Name, addr, m.Port, m.Tags, string(m.Status),
			map[string]uint8{"min": m.DelegateMin, "max": m.DelegateMax, "version": m.DelegateCur}})
		row := []string{m.Name, addr, string(m.Status), tagList(m.Member)}
		if detailed {
			row = append(row, fmt.Sprintf("Protocol Version: %d", m.DelegateCur),
				fmt.Sprintf("Available Protocol Range: [%d, %d]", m.DelegateMin, m.DelegateMax))
		}
		rows = append(rows, row)
	}
	return a.print(table, columns(rows))
}

// serfMembers is the JSON of `serf members -format=json`.
type serfMembers struct {
	Members []serfMember `json:"members"`
}

type serfMember struct {
	Name   string            `json:"name"`
	Addr   string            `json:"addr"`
	Port   uint16            `json:"port"`
	Tags   map[string]string `json:"tags"`
	Status string            `json:"status"`
	Proto  map[string]uint8  `json:"protocol"`
}

// tagList is a member's tags as Serf's own CLI prints them.
func tagList(m cluster.Member) string {
	var tags []string
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		tags = append(tags, fmt.Sprintf("%s=%s", k, m.Tags[k]))
	}
	return strings.Join(tags, ",")
}
