package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/metadata"
	"muster/publisher"
	catalog "muster/services"
)

func (a *app) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Publish what a node offers, and find what others do",
		Long: `Publish services in a node's tag "services", and find those of others. All of a
node's tags have 512 bytes together: room for a dozen services.

Services that are to be published while a check passes stand in muster.hcl.

Add, remove and where are about another thing: the list of what a node has been
given to run, by whatever name, which it keeps and shows in its tag "` + metadata.Tag + `".`,
	}
	cmd.AddCommand(a.publishCommand(), a.unpublishCommand(), a.searchCommand(), a.listCommand(), a.serviceInfoCommand(),
		a.serviceAddCommand(metadata.Add), a.serviceAddCommand(metadata.Remove), a.serviceWhereCommand())
	return cmd
}

// An offerFlags is how a service is described besides by its arguments.
type offerFlags struct{ cloud, host, ip, device string }

func (a *app) publishCommand() *cobra.Command {
	var flags offerFlags
	cmd := &cobra.Command{
		Use:   "publish DESC TYPE PORT [TXT]",
		Short: "Publish a service of an agent's node",
		Long: `Publish a service of an agent's node, or change it: a node has one service of a
type and port. DESC is for people, TXT holds attributes such as "path=/ tls=1".
What does not fit into the node's tags is refused, and nothing is changed.`,
		Example: `  muster service publish "The old shop" web 8080
  muster service publish TincVPN tincvpn 665 "subnet=10.1.0.0/16"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 3 || len(args) > 4 {
				return errors.New("want a description, a type, a port and perhaps a text")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s := catalog.Service{Description: args[0], Type: args[1], Port: args[2], IP: flags.ip, Device: flags.device}
			if len(args) == 4 {
				s.Text = args[3]
			}
			s, err := catalog.New(s)
			if err != nil {
				return usage(cmd, err)
			}
			defer turn(cmd.Context(), socketPath(a.socket))()
			o, err := a.offering(cmd, flags.cloud)
			if err != nil {
				return err
			}
			defer o.client.Close()
			return a.publish(cmd.Context(), o, s, cmd.Flags().Changed("ip"), flags.host)
		},
	}
	cmd.Flags().StringVar(&flags.cloud, "cloud", "", "`NAME` in HOST.NAME.local (default the agent's)")
	cmd.Flags().StringVar(&flags.host, "host", "", "`NAME` in place of HOST.CLOUD.local")
	cmd.Flags().StringVar(&flags.ip, "ip", "", "`ADDRESS` to publish (default the node's); empty: none, so that it is always the node's")
	cmd.Flags().StringVar(&flags.device, "device", "", "network `INTERFACE` to publish")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

func (a *app) unpublishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unpublish [TYPE] [PORT]",
		Short: "Withdraw services of an agent's node",
		Long: `Withdraw a service of an agent's node, all of a type, or all. Those that
muster.hcl names stay: take them out there.`,
		Example: `  muster service unpublish web 8080
  muster service unpublish`,
		Args: atMostTwo("a type and a port"),
		RunE: func(cmd *cobra.Command, args []string) error {
			typ, port := pair(args)
			defer turn(cmd.Context(), socketPath(a.socket))()
			o, err := a.offering(cmd, "")
			if err != nil {
				return err
			}
			defer o.client.Close()
			return a.unpublish(cmd.Context(), o, typ, port)
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

func (a *app) searchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "search [TYPE] [HOST]",
		Short: "Print the services of live members as JSON",
		Long: `Print the services of live members as one JSON array: all, those of a type, or
those of a type and a host. HOST is a member's name or a service's host. Each
has the tag's fields s, d, m, i, p, e and t, and node_id, the member's name;
a service without an address has its member's.`,
		Example: `  muster service search web
  muster service search '' web1`,
		Args: atMostTwo("a type and a host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			typ, host := pair(args)
			found, err := a.find(cmd, typ, host)
			if err != nil {
				return err
			}
			return a.printJSON(found)
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

func (a *app) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the services of live members, for people",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := a.find(cmd, "", "")
			if err != nil {
				return err
			}
			if a.wantsJSON() {
				return a.printJSON(found)
			}
			return a.listServices(cmd, found)
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

func (a *app) serviceInfoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:       "info [ip|cloud]",
		Short:     "Print the address and the cloud under which an agent's node publishes",
		ValidArgs: []string{"ip", "cloud"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "ip" && args[0] != "cloud" {
				return errors.New("want ip or cloud")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.offering(cmd, "")
			if err != nil {
				return err
			}
			defer o.client.Close()
			ip := publisher.AddrOf(o.self.Addr)
			text := fmt.Sprintf("ip %s\ncloud %s", ip, o.cloud)
			if len(args) == 1 {
				text = map[string]string{"ip": ip, "cloud": o.cloud}[args[0]]
			}
			return a.print(map[string]string{"ip": ip, "cloud": o.cloud}, text)
		},
	}
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// atMostTwo refuses more than two arguments, and says what they are.
func atMostTwo(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 2 {
			return fmt.Errorf("unknown argument %q: %s takes %s", args[2], cmd.CommandPath(), what)
		}
		return nil
	}
}

// pair is two arguments, either of which may be missing.
func pair(args []string) (first, second string) {
	args = append(args, "", "")
	return args[0], args[1]
}

// sizes is how much room tags take, and how much they would without services.
func sizes(tags map[string]string) (all, without int) {
	rest := map[string]string{}
	for k, v := range tags {
		if k != catalog.Tag {
			rest[k] = v
		}
	}
	return cluster.TagSize(tags), cluster.TagSize(rest)
}
