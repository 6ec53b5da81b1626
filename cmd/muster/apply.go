package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/reconcile"
	"muster/web"
)

func (a *app) applyCommand() *cobra.Command {
	var force bool
	offline := offlineFlags{}
	cmd := &cobra.Command{
		Use:   "apply [RULE...]",
		Short: "Converge once, now, and say how it went",
		Long: `Look at the rules again at once, wait until each has been through a pass, and
print how they are. The exit code is 0 if all of them are in sync.

The running agent does it; with --members it is done here, from a list of
members, and with --rpc-addr from the members that a Serf agent knows, as from
cron on a host where no muster agent runs. It does not wait for the back-off after a failure;
with --force the guards and ` + "`every`" + ` do not count either.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			status, err := a.apply(cmd, offline, names, force)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(status)
			} else {
				err = a.printRules(status)
			}
			if err != nil {
				return err
			}
			return inSync(status)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "apply also what a guard holds back")
	offline.add(cmd.Flags())
	a.asksAgent(cmd)
	a.completesRules(cmd)
	a.printsJSON(cmd)
	return cmd
}

// apply asks the agent, or applies a list of members.
func (a *app) apply(cmd *cobra.Command, offline offlineFlags, names []string, force bool) ([]agent.RuleStatus, error) {
	if !offline.given() {
		if namesRules(cmd) {
			return nil, usage(cmd, errors.New("the running agent applies its own rules: with --rules or --config, say with --members or --rpc-addr whose members they are for, or leave that out"))
		}
		client := web.NewClient(socketPath(a.socket))
		if err := a.warnUnsettled(cmd.Context(), client, "waiting for it"); err != nil {
			return nil, err
		}
		done, err := client.Apply(cmd.Context(), web.ApplyRequest{Rules: names, Force: force})
		a.warnMistakes(cmd.Context(), client)
		return done, err
	}
	run, err := a.openOffline(cmd.Context(), offline)
	if err != nil {
		return nil, err
	}
	return run.Apply(cmd.Context(), names, force)
}

// warnUnsettled says so when the agent does not change anything yet.
func (a *app) warnUnsettled(ctx context.Context, client *web.Client, more string) error {
	status, err := client.Status(ctx)
	if err == nil && !status.Settled {
		fmt.Fprintf(a.err, "The agent's first join has not settled, and before that nothing is changed: %s.\n", more)
	}
	return err
}

// warnMistakes says so when the rules that were applied are older than those on
// disk.
func (a *app) warnMistakes(ctx context.Context, client *web.Client) {
	status, err := client.Status(ctx)
	if err == nil && status.Problems.HasErrors() {
		fmt.Fprintf(a.err, "The rules in %s have mistakes, and %s: `muster status` shows them.\n", printable(status.Dir), inForce(status))
	}
}

// inSync is nil if every rule is in sync, or not in force here.
func inSync(status []agent.RuleStatus) error {
	for _, s := range status {
		if s.State != reconcile.InSync && s.State != agent.NotInForce {
			return exit{code: exitFailed}
		}
	}
	return nil
}
