package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var bare, keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a small cluster on this machine, gone in half a minute",
		Long: `Start five nodes on the loopback interface, let one join, one die, one come back
and one leave, and show what becomes of the files of one of them, and how soon.
Where nginx is installed it serves from them, and gets requests throughout.

It needs no root and no configuration, and leaves nothing behind. The exit code
is 1 if something did not go as told, or a request failed.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), bare, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave it running at the end, until Ctrl-C")
	cmd.Flags().BoolVar(&bare, "bare", false, "do without nginx and haproxy even where they are installed")
	cmd.AddCommand(a.demoNodeCommand())
	return cmd
}

// runDemo runs the demo until it ends or a signal does. SIGPIPE is a signal
// like the others, so that `muster demo | head` leaves nothing behind either.
func (a *app) runDemo(parent context.Context, bare, keep bool) error {
	ctx, stop := signal.NotifyContext(parent, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the muster program to start the nodes with: %w", err)
	}
	return demo.Run(ctx, demo.Config{
		Program: program, Out: a.out, Color: color, Bare: bare, Keep: keep,
		PrintDiff: func(indent, diff string) { a.printDiff(indent, diff, painter(color)) },
	})
}

// demoNodeCommand is what `muster demo` runs for the nodes that only serve.
func (a *app) demoNodeCommand() *cobra.Command {
	var flags config.Flags
	var at, name string
	cmd := &cobra.Command{
		Use:    "node",
		Short:  "Run an agent, and beside it a service that answers with a name",
		Hidden: true,
		Args:   none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop, err := demo.Serve(at, name)
			if err != nil {
				return err
			}
			defer stop() // when the agent has left the cluster
			return a.runAgent(cmd.Context(), flags)
		},
	}
	cmd.Flags().StringVar(&at, "serve", "127.0.0.1:0", "`ADDR:PORT` of the service")
	cmd.Flags().StringVar(&name, "answer", "muster", "the `NAME` that it answers with")
	flags.Add(cmd.Flags())
	return cmd
}
