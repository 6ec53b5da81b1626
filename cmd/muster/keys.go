package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

func (a *app) keysCommand() *cobra.Command {
	var flags keyFlags
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List or change the keys that encrypt the gossip",
		Long: `List or change the gossip's keys on all nodes at once. To change to another key:
install it, use it, remove the old one; between the steps see with --list that
every node has it. It works on a cluster that is encrypted already.

The exit code is 1 if any node did not answer or reported an error, each of
which is printed. Every step can be repeated.`,
		Example: `  muster keys --list
  muster keys --install "$(muster keygen)"`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			step, err := flags.step()
			if err != nil {
				return usage(cmd, err)
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return a.changeKeys(cmd.Context(), client, step)
		},
	}
	cmd.Flags().BoolVar(&flags.list, "list", false, "list the keys, and how many nodes have each")
	cmd.Flags().StringVar(&flags.install, "install", "", "have every node know `KEY`, to decrypt with")
	cmd.Flags().StringVar(&flags.use, "use", "", "have every node encrypt with `KEY`")
	cmd.Flags().StringVar(&flags.remove, "remove", "", "have every node forget `KEY`")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

type keyFlags struct {
	list                 bool
	install, use, remove string
}

// A keyStep is what to do to the keys: its words are those of Serf's command.
type keyStep struct {
	before, after, failed string
	list                  bool
	do                    func(context.Context, *rpc.Client) (cluster.KeyReport, error)
}

// step is the one thing that the flags ask for.
func (f keyFlags) step() (keyStep, error) {
	var steps []keyStep
	if f.list {
		steps = append(steps, keyStep{"Asking all members for installed keys...", "Keys gathered, listing cluster keys...", "gather the members' keys", true,
			func(ctx context.Context, c *rpc.Client) (cluster.KeyReport, error) { return c.ListKeys(ctx) }})
	}
	if f.install != "" {
		steps = append(steps, keyStep{"Installing key on all members...", "Successfully installed key!", "install the key", false,
			func(ctx context.Context, c *rpc.Client) (cluster.KeyReport, error) {
				return c.InstallKey(ctx, f.install)
			}})
	}
	if f.use != "" {
		steps = append(steps, keyStep{"Changing primary key on all members...", "Successfully changed primary key!", "change the primary key", false,
			func(ctx context.Context, c *rpc.Client) (cluster.KeyReport, error) { return c.UseKey(ctx, f.use) }})
	}
	if f.remove != "" {
		steps = append(steps, keyStep{"Removing key on all members...", "Successfully removed key!", "remove the key", false,
			func(ctx context.Context, c *rpc.Client) (cluster.KeyReport, error) { return c.RemoveKey(ctx, f.remove) }})
	}
	switch len(steps) {
	case 0:
		return keyStep{}, errors.New("nothing to do: give one of --list, --install, --use and --remove")
	case 1:
		return steps[0], nil
	}
	return keyStep{}, errors.New("only one of --list, --install, --use and --remove at a time")
}

// keyResult is the JSON of what happened to the keys.
type keyResult struct {
	Nodes    int               `json:"nodes"`
	Answered int               `json:"answered"`
	Failed   int               `json:"failed"`
	Messages map[string]string `json:"messages,omitempty"` // by node
	Keys     map[string]int    `json:"keys,omitempty"`     // how many nodes have each
	Primary  map[string]int    `json:"primary,omitempty"`  // how many encrypt with it
}

// changeKeys does one step and prints how it went, node by node where it
// failed.
func (a *app) changeKeys(ctx context.Context, client *rpc.Client, step keyStep) error {
	say := func(line string) {
		if !a.wantsJSON() {
			fmt.Fprintln(a.out, line)
		}
	}
	say("==> " + step.before)
	report, err := step.do(ctx, client)
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d of %d nodes reported an error", report.Failed, report.Nodes)
	}
	if a.wantsJSON() && (err == nil || len(report.Messages) > 0) {
		if err := a.printSerfJSON(keyResult(report)); err != nil {
			return err
		}
	}
	if err != nil {
		a.printFailures(report.Messages)
		return fmt.Errorf("cannot %s: %w", step.failed, err)
	}
	say("==> " + step.after)
	if step.list {
		say("")
		say(keyLines(report))
	}
	return nil
}

// printFailures prints what single nodes said.
func (a *app) printFailures(messages map[string]string) {
	var rows [][]string
	for _, node := range slices.Sorted(maps.Keys(messages)) {
		rows = append(rows, []string{"failed:", node, messages[node]})
	}
	if len(rows) > 0 {
		fmt.Fprintln(a.err, columns(rows))
	}
}

// keyLines lists the keys.
func keyLines(report cluster.KeyReport) string {
	var rows [][]string
	for _, key := range slices.Sorted(maps.Keys(report.Keys)) {
		rows = append(rows, []string{key, fmt.Sprintf("[%d/%d]", report.Keys[key], report.Nodes)})
	}
	return columns(rows)
}
