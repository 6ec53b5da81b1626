package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/cluster"
	"muster/inventory"
	"muster/playbook"
	"muster/web"
)

// An inventoryOrder says which inventory of whom is to be printed.
type inventoryOrder struct {
	from            offlineFlags
	list, yaml, all bool
	host            string

	// The groups of playbooks instead of those of all tags.
	playbooks, groups []string
	groupTag          string
}

func (a *app) inventoryCommand() *cobra.Command {
	var order inventoryOrder
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Print the members as an inventory for Ansible",
		Long: `Print the live members as an inventory for Ansible: with --list (the default)
and --host as an inventory script does, with --yaml as a file. Groups are made of
tags: role=web is the group role_web. Tags are marked as unsafe, so that Ansible
does not run what they say.

With --playbook print a hosts file instead, in INI: the groups that the plays
name in "hosts", spelled as there, each with the members whose tag "role" has
the group's name among its items, separated by commas. A group that nobody is
in is there, and empty. --group adds groups that no play names as such.

Ansible runs a script without further arguments; this is one:

  #!/bin/sh
  exec muster inventory "$@"`,
		Example: `  ansible-inventory -i ./muster-inventory --graph
  muster inventory --yaml >hosts.yml
  muster inventory --playbook site.yml >hosts
  muster members --json | muster inventory --members - --host web1`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := order.check(cmd); err != nil {
				return usage(cmd, err)
			}
			members, err := a.inventoryMembers(cmd, order.from)
			if err != nil {
				return err
			}
			return a.printInventory(cmd, order, members)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&order.list, "list", false, "print all groups and hosts in JSON; this is the default without --playbook and --group")
	flags.StringVar(&order.host, "host", "", "print only the variables of the member `NAME`")
	flags.BoolVar(&order.yaml, "yaml", false, "print a file in YAML instead of JSON")
	flags.BoolVar(&order.all, "all", false, "members of every status, not only those that are alive")
	flags.StringArrayVar(&order.playbooks, "playbook", nil, "print a hosts file with the groups that the plays of `FILE` name; again for further ones")
	flags.StringArrayVar(&order.groups, "group", nil, "likewise with the group `NAME`; again for further ones")
	flags.StringVar(&order.groupTag, "group-tag", defaultGroupTag, "with --playbook and --group: `TAG` that names a member's groups, separated by commas")
	flags.StringVar(&order.from.members, "members", "", "`FILE` of members in JSON, as muster members --json prints them, instead of a running agent; - reads standard input")
	flags.StringVar(&order.from.rpcAddr, "rpc-addr", "", "`ADDRESS` of a Serf agent's RPC: the members it knows, instead of asking a muster agent")
	flags.StringVar(&order.from.rpcAuth, "rpc-auth", "", "`KEY` that the Serf agent's RPC demands; also SERF_RPC_AUTH")
	a.asksAgent(cmd)
	completesFile(cmd, "playbook", "yml", "yaml")
	completesFile(cmd, "members", "json")
	return cmd
}

// defaultGroupTag is the tag that names a member's groups in a playbook.
const defaultGroupTag = "role"

// byPlays reports whether the groups are those of playbooks.
func (o inventoryOrder) byPlays() bool { return len(o.playbooks) > 0 || len(o.groups) > 0 }

// check finds the flags that exclude one another.
func (o inventoryOrder) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("host") && (o.list || o.yaml) {
		return errors.New("--host prints the variables of one member in JSON: leave out --list and --yaml")
	}
	if o.list && o.yaml {
		return errors.New("--list prints JSON and --yaml YAML: leave out one of them")
	}
	if cmd.Flags().Changed("group-tag") && !o.byPlays() {
		return errors.New("--group-tag is about the groups of --playbook and --group: give one of these, too")
	}
	sources := 0
	for _, name := range []string{"members", "rpc-addr", "socket"} {
		if cmd.Flags().Changed(name) {
			sources++
		}
	}
	if sources > 1 {
		return errors.New("cannot take the members from two places: give one of --members, --rpc-addr and --socket")
	}
	return nil
}

// inventoryMembers are the members as the list has them, a Serf agent, or the
// running agent. One that has yet to hear who is there is not believed: Ansible
// would do its work on nobody, and call that a success.
func (a *app) inventoryMembers(cmd *cobra.Command, from offlineFlags) ([]cluster.Member, error) {
	if from.rpcAddr != "" {
		view, err := from.ask(cmd.Context(), a.err)
		return view.Members, err
	}
	if from.members != "" {
		members, err := from.read()
		if err != nil {
			return nil, err
		}
		view, err := agent.OfflineView("", members)
		return view.Members, err
	}
	client := web.NewClient(socketPath(a.socket))
	status, err := client.Status(cmd.Context())
	if err != nil {
		return nil, fmt.Errorf("%w, or name a Serf agent with --rpc-addr, or a list of members with --members", err)
	}
	if !status.Settled {
		return nil, errors.New("cannot tell who is there: the agent has only just started, or has found nobody yet; `muster status` says which")
	}
	return client.Members(cmd.Context())
}

// inventory is the one that is asked for, and whom it leaves out.
func (a *app) inventory(order inventoryOrder, members []cluster.Member) (inventory.Inventory, []inventory.Refusal, error) {
	if !order.byPlays() {
		inv, refused := inventory.Of(members, order.all)
		return inv, refused, nil
	}
	plays := inventory.Plays{Tag: order.groupTag}
	for _, file := range order.playbooks {
		terms, notes, err := playbook.Read(file)
		if err != nil {
			return inventory.Inventory{}, nil, err
		}
		for _, note := range notes {
			fmt.Fprintf(a.err, "left out: %s\n", harmless(note.String()))
		}
		for _, term := range terms {
			if term.Pattern != nil {
				plays.Patterns = append(plays.Patterns, term.Pattern)
			} else {
				plays.Names = append(plays.Names, term.Name)
			}
		}
	}
	for _, name := range order.groups {
		if err := playbook.CheckGroup(name); err != nil {
			return inventory.Inventory{}, nil, fmt.Errorf("cannot use --group: %w", err)
		}
		plays.Names = append(plays.Names, name)
	}
	inv, refused := inventory.For(members, order.all, plays)
	return inv, refused, nil
}

// printInventory prints the inventory of members, and says whom it leaves out.
func (a *app) printInventory(cmd *cobra.Command, order inventoryOrder, members []cluster.Member) error {
	inv, refused, err := a.inventory(order, members)
	if err != nil {
		return err
	}
	host := cmd.Flags().Changed("host")
	ini := order.byPlays() && !order.list && !order.yaml && !host
	if order.byPlays() && !ini {
		var more []inventory.Refusal
		inv, more = inv.WithoutNamesakes()
		refused = append(refused, more...)
	}
	for _, r := range refused {
		fmt.Fprintf(a.err, "left out: %s\n", harmless(r.String()))
	}
	switch {
	case ini:
		_, err := a.out.Write(inv.INI())
		return err
	case order.yaml:
		_, err := a.out.Write(inv.YAML())
		return err
	case !host:
		return a.printJSON(inv.List())
	}
	if vars, there := inv.Hosts[order.host]; there {
		return a.printJSON(vars)
	}
	// The convention: a host that is not known has no variables.
	fmt.Fprintf(a.err, "The inventory has no host %q.\n", order.host)
	return a.printJSON(struct{}{})
}
