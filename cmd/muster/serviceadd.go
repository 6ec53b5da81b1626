package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/metadata"
	"muster/order"
	"muster/web"
)

// serviceAddCommand is `service add`, or `service remove`.
func (a *app) serviceAddCommand(do string) *cobra.Command {
	var keyFile string
	verb := "Put a service on"
	if do == metadata.Remove {
		verb = "Take a service off"
	}
	cmd := &cobra.Command{
		Use:   do + " HOST NAME",
		Short: verb + " a node's list of what it runs",
		Long: verb + ` the list that a node keeps of the services it has been given to run. The list
outlasts restarts, and the cluster sees it in the node's tag ` + metadata.Tag + `.

HOST is a node's name. The list of the agent's own node may be changed by whoever
may use the agent's socket. Another node demands a signature of a key that it
trusts: --sign.`,
		Example: fmt.Sprintf("  muster service %s web1 nginx\n  muster service %[1]s --sign admin.key web1 nginx", do),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("two arguments are taken: the name of a node and of a service")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			host, service := args[0], args[1]
			if err := metadata.CheckName(service); err != nil {
				return usage(cmd, err)
			}
			change := a.changeHere
			if keyFile != "" {
				change = func(_ context.Context, do, host, service string) ([]string, error) {
					return a.changeThere(cmd, keyFile, do, host, service)
				}
			}
			list, err := change(cmd.Context(), do, host, service)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(web.MetaData{Node: host, Service: list})
			}
			fmt.Fprintf(a.out, "%s: %s\n", printable(host), printable(orNone(strings.Join(list, ", "))))
			return nil
		},
	}
	cmd.Flags().StringVar(&keyFile, "sign", "", "sign the request with the private key in `FILE`, as muster keygen --signing makes one")
	a.asksRPC(cmd)
	a.completesMember(cmd, 1)
	a.printsJSON(cmd)
	return cmd
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// changeHere changes the list of the agent's own node, through its socket.
func (a *app) changeHere(ctx context.Context, do, host, service string) ([]string, error) {
	client := web.NewClient(socketPath(a.socket))
	here, err := client.MetaData(ctx)
	if err != nil {
		return nil, err
	}
	if here.Node != host {
		return nil, fmt.Errorf("cannot change %s from here, which is %s, without a signature: add --sign FILE, or run this on %[1]s", plain(host), plain(here.Node))
	}
	if do == metadata.Add {
		here, err = client.AddService(ctx, service)
	} else {
		here, err = client.RemoveService(ctx, service)
	}
	return here.Service, err
}

// changeThere changes that of any node, by a signed request.
func (a *app) changeThere(cmd *cobra.Command, keyFile, do, host, service string) ([]string, error) {
	answer, err := giveOrder[metadata.Answer](a, cmd, keyFile, host, metadata.Query, order.Order{Do: do, Service: service},
		"`muster service where` shows whether it was changed all the same")
	return answer.Services, err
}

func (a *app) serviceWhereCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "where [NAME]",
		Short: "List the living nodes that have a service on their list",
		Long: `List the living nodes with what they have on their lists, or those that have the
service NAME. It is what they say of themselves in their tag ` + metadata.Tag + `; whether the
service works there is another question.`,
		Example: "  muster service where nginx",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			members, err := web.NewClient(socketPath(a.socket)).Members(cmd.Context())
			if err != nil {
				return err
			}
			list := []nodeServices{}
			for _, m := range members {
				services := metadata.Of(m)
				if m.Status != cluster.Alive || len(services) == 0 || len(args) == 1 && !slices.Contains(services, args[0]) {
					continue
				}
				list = append(list, nodeServices{m.Name, m.Addr, services})
			}
			if a.json {
				return a.printJSON(list)
			}
			t := newTable(a.out, "NODE", "ADDRESS", "SERVICES")
			for _, n := range list {
				t.row(n.Node, n.Addr.String(), strings.Join(n.Service, ", "))
			}
			t.flush()
			return nil
		},
	}
	a.asksAgent(cmd)
	a.printsJSON(cmd)
	return cmd
}

// nodeServices is a node with what is on its list.
type nodeServices struct {
	Node    string     `json:"node"`
	Addr    netip.Addr `json:"addr"`
	Service []string   `json:"service"`
}
