package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/human"
	"muster/publisher"
	"muster/rpc"
)

// find asks the agent for the services of live members. A tag that cannot be
// read is none, and reported.
func (a *app) find(cmd *cobra.Command, typ, host string) ([]publisher.Found, error) {
	client, err := a.dial(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	answer, err := client.Members(cmd.Context(), rpc.Filter{Status: string(cluster.Alive)})
	if err != nil {
		return nil, err
	}
	var members []cluster.Member
	for _, m := range answer {
		members = append(members, m.Member)
	}
	found, unread := publisher.Find(members, typ, host)
	for _, u := range unread {
		fmt.Fprintf(a.err, "%s is left out: %s\n", printable(u.Node), printable(u.Err.Error()))
	}
	return found, nil
}

// listServices prints a table, and how much room the node's own take.
func (a *app) listServices(cmd *cobra.Command, found []publisher.Found) error {
	rows := [][]string{{"TYPE", "PORT", "ADDRESS", "NODE", "DESCRIPTION", "TEXT"}}
	for _, f := range found {
		rows = append(rows, []string{f.Type, f.Port, f.IP, f.Node, strings.ReplaceAll(f.Description, "_", " "), strings.ReplaceAll(f.Text, "&", " ")})
	}
	fmt.Fprintln(a.out, columns(rows))
	o, err := a.offering(cmd, "")
	if err != nil {
		return err
	}
	defer o.client.Close()
	all, without := sizes(o.self.Tags)
	fmt.Fprintf(a.err, "this node publishes %s in %d bytes; %d of %d bytes used\n", human.Count(len(o.list), "service"), all-without, all, tagBudget)
	return nil
}
