package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

func (a *app) sendCommand() *cobra.Command {
	var flags queryFlags
	var coalesce bool
	var keyFile string
	cmd := &cobra.Command{
		Use:   "send URI",
		Short: "Send the user event or query that a URI describes",
		Long: `Send what an event URI describes:

  serf://HOSTS/KIND[/NODES]/NAME[?payload=TEXT][;tag=KEY=REGEXP]...

HOSTS are the members that are meant, by name or IP address, apart by commas,
with * for any characters and ? for one; none means all. KIND is query or user.
NODES is what the names of those members must be like, too, with * and %3F.
NAME is the query's or event's. Special characters are written %XX. Quote the
URI: a shell understands *, ?, ; and & in its own way.

A query prints its answers as muster query does. A user event always goes to
every node, so that one to some of them is refused.`,
		Example: `  muster send 'serf://web*,10.0.0.?/query/load'
  muster send 'serf:///query/web-*/version?payload=long;tag=role=web|api'
  muster send 'serf:///user/deploy?payload=v2.1'`,
		Args: one("an event URI, serf://HOSTS/KIND/NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := parseURI(args[0])
			if err == nil {
				err = to.check(keyFile)
			}
			if err == nil {
				err = flags.check()
			}
			if err != nil {
				return usage(cmd, err)
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			if to.Kind == cluster.EventUser {
				return a.sendEvent(cmd.Context(), client, outgoing{to.Name, to.Payload, coalesce, keyFile})
			}
			return a.askAddress(cmd.Context(), client, to, flags)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&coalesce, "coalesce", true, "of several user events of this name within a second, only the last need be acted on")
	cmd.Flags().StringVar(&keyFile, "sign", "", "sign a user event with the private key in `FILE`")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// check refuses what cannot be sent.
func (to address) check(keyFile string) error {
	switch {
	case to.Kind == cluster.EventUser && !to.all():
		return errors.New("a user event reaches every node: leave out the hosts, nodes and tags, or send a query instead, serf://…/query/" + printable(to.Name))
	case to.Kind == cluster.EventQuery && keyFile != "":
		return errors.New("--sign is for user events: a query is not signed")
	}
	return nil
}

// all reports whether every member is meant.
func (to address) all() bool {
	return to.everyName() && len(to.Tags) == 0
}

// everyName reports whether members are meant whatever their names.
func (to address) everyName() bool {
	anything := func(glob string) bool { return strings.Trim(glob, "*") == "" }
	return anything(to.Nodes) && (len(to.Hosts) == 0 || slices.ContainsFunc(to.Hosts, anything))
}

// askAddress finds the live members that are meant and asks them.
func (a *app) askAddress(ctx context.Context, client *rpc.Client, to address, flags queryFlags) error {
	var nodes []string
	if !to.everyName() {
		live, err := client.Members(ctx, rpc.Filter{Status: string(cluster.Alive)})
		if err != nil {
			return err
		}
		var unmatched []string
		if nodes, unmatched = to.meant(live); len(nodes) == 0 {
			return errors.New("cannot send it: no live member is meant; `muster members` lists their names and addresses")
		}
		for _, glob := range unmatched {
			fmt.Fprintf(a.err, "No live member matches %q.\n", glob)
		}
	}
	return a.ask(ctx, client, flags.query(to.Name, to.Payload, nodes, to.Tags))
}

// meant returns the names of the members that an address means, tags aside,
// and the hosts that are no member.
func (to address) meant(members []rpc.Member) (names, unmatched []string) {
	for _, host := range to.Hosts {
		matches := func(m rpc.Member) bool { return glob(host, m.Name) || glob(host, m.Addr.Unmap().String()) }
		if !slices.ContainsFunc(members, matches) {
			unmatched = append(unmatched, host)
		}
		for _, m := range members {
			if matches(m) && !slices.Contains(names, m.Name) && (to.Nodes == "" || glob(to.Nodes, m.Name)) {
				names = append(names, m.Name)
			}
		}
	}
	if len(to.Hosts) == 0 {
		for _, m := range members {
			if glob(to.Nodes, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	slices.Sort(names)
	return names, unmatched
}
