package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/publisher"
	"muster/rpc"
	catalog "muster/services"
)

// A foundService is one of a live member.
type foundService struct {
	catalog.Service
	Node string `json:"node_id"`
}

// find asks the agent for the services of live members, by member, type and
// port. A tag that cannot be read is none, and reported.
func (a *app) find(cmd *cobra.Command, typ, host string) ([]foundService, error) {
	client, err := a.dial(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	members, err := client.Members(cmd.Context(), rpc.Filter{Status: string(cluster.Alive)})
	if err != nil {
		return nil, err
	}
	found := []foundService{}
	for _, m := range members {
		list, err := catalog.Decode(m.Tags[catalog.Tag])
		if err != nil {
			fmt.Fprintf(a.err, "%s is left out: %s\n", printable(m.Name), printable(err.Error()))
		}
		for _, s := range list {
			s.IP = cmp.Or(s.IP, publisher.AddrOf(m.Addr))
			if f := (foundService{s, m.Name}); f.is(typ, host) {
				found = append(found, f)
			}
		}
	}
	slices.SortFunc(found, func(a, b foundService) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), catalog.Compare(a.Service, b.Service))
	})
	return found, nil
}

// is reports whether f is of a type and a host, either of which may be empty.
func (f foundService) is(typ, host string) bool {
	short, _, _ := strings.Cut(f.Host, ".")
	return (typ == "" || f.Type == typ) && (host == "" || host == f.Node || host == f.Host || host == short)
}

// listServices prints a table, and how much room the node's own take.
func (a *app) listServices(cmd *cobra.Command, found []foundService) error {
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
	fmt.Fprintf(a.err, "this node publishes %s in %d bytes; %d of %d bytes used\n", count(len(o.list), "service"), all-without, all, tagBudget)
	return nil
}
