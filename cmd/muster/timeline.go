package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"muster/timeline"
	"muster/web"
)

// timelineSize is how many entries an agent keeps, and followEvery how often
// --follow looks for more.
const (
	timelineSize = 500
	followEvery  = time.Second
)

func (a *app) timelineCommand() *cobra.Command {
	var follow bool
	var rule, node string
	cmd := &cobra.Command{
		Use:   "timeline",
		Short: "Show what has happened lately on and around the agent's node",
		Long: `Show what has happened lately on and around the agent's node, the oldest first:
members that joined, failed or left, rules that were applied, held or failed,
events that came, actions that ran. A ! stands before what went wrong or who
failed, a - before who left in good order.

The agent keeps the latest 500 entries in memory, and no payload, no output of a
command and no text of a file.`,
		Example: `  muster timeline --rule web
  muster timeline --follow --json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted := func(e timeline.Entry) bool {
				return (rule == "" || e.Rule == rule) && (node == "" || e.Node == node)
			}
			if follow {
				return a.followTimeline(cmd.Context(), wanted)
			}
			entries, err := web.NewClient(socketPath(a.socket)).Timeline(cmd.Context(), 0)
			if err != nil {
				return err
			}
			entries = slices.DeleteFunc(entries, func(e timeline.Entry) bool { return !wanted(e) })
			if a.json {
				return a.printJSON(entries)
			}
			if len(entries) == 0 {
				fmt.Fprintln(a.err, "Nothing, as far as this agent remembers.")
			}
			return a.printEntries(entries)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens, until Ctrl-C; with --json one object a line")
	cmd.Flags().StringVar(&rule, "rule", "", "only what is about the rule `NAME`")
	cmd.Flags().StringVar(&node, "node", "", "only what is about the member `NAME`")
	a.asksAgent(cmd)
	completesFlagWith(cmd, "rule", a.ruleNames)
	completesFlagWith(cmd, "node", a.memberNames)
	a.printsJSON(cmd)
	return cmd
}

// followTimeline prints what has happened, and what happens, until Ctrl-C.
func (a *app) followTimeline(ctx context.Context, wanted func(timeline.Entry) bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	client := web.NewClient(socketPath(a.socket))
	for last := uint64(0); ; {
		entries, err := client.Timeline(ctx, last)
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return err
		}
		for _, e := range entries {
			last = e.ID
			if !wanted(e) {
				continue
			}
			if a.json {
				err = a.printLine(e)
			} else {
				err = a.printEntries([]timeline.Entry{e})
			}
			if err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

// printEntries prints a line each: when, whether it is bad or a leave, and what
// happened.
func (a *app) printEntries(entries []timeline.Entry) error {
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	paint := painter(color)
	for _, e := range entries {
		text := printable(e.Text)
		if e.Rule != "" {
			text = printable(e.Rule) + ": " + text
		}
		mark := " "
		switch {
		case e.Bad:
			mark, text = paint(red, "!"), paint(red, text)
		case e.Left:
			mark = "-"
		}
		if _, err := fmt.Fprintf(a.out, "%s %s %-6s  %s\n", e.At.Local().Format(time.DateTime), mark, e.Kind, text); err != nil {
			return err
		}
	}
	return nil
}
