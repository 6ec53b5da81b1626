package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/command"
	"muster/human"
	"muster/web"
)

func (a *app) planCommand() *cobra.Command {
	var detailed bool
	offline := offlineFlags{}
	cmd := &cobra.Command{
		Use:   "plan [RULE...]",
		Short: "Show what would change, and why, without changing anything",
		Long: `Show the difference between the files as they are and as the rules want them
now, which members cause it, and which commands would run. Nothing is changed.

The running agent is asked, about the rules that it has in force. With --rules
or --config it is asked for its members only, and the rules are those on disk
there; with --members a list of members takes its place.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			plans, err := a.plan(cmd, offline, names)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(plans)
			} else {
				err = a.printPlans(plans)
			}
			if err != nil {
				return err
			}
			return planExit(plans, detailed)
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there are changes, 0 when there are none")
	offline.add(cmd.Flags())
	a.asksAgent(cmd)
	a.completesRules(cmd)
	a.printsJSON(cmd)
	return cmd
}

// plan asks the agent, or plans here: with other rules than the agent's, or for a
// list of members.
func (a *app) plan(cmd *cobra.Command, offline offlineFlags, names []string) ([]agent.RulePlan, error) {
	if !offline.given() {
		client := web.NewClient(socketPath(a.socket))
		if err := a.warnUnsettled(cmd.Context(), client, "this may look different then"); err != nil {
			return nil, err
		}
		if !namesRules(cmd) {
			return client.Plan(cmd.Context(), names)
		}
	}
	run, err := a.openRules(cmd, offline)
	if err != nil {
		return nil, err
	}
	return run.Plan(names)
}

// planExit is 1 if a rule could not be planned, and tells changes from none
// where that was asked for.
func planExit(plans []agent.RulePlan, detailed bool) error {
	changes := false
	for _, p := range plans {
		if p.Error != "" {
			return exit{code: exitFailed}
		}
		changes = changes || p.Changes()
	}
	if changes && detailed {
		return exit{code: exitChanges}
	}
	return nil
}

// printPlans prints plans for people: a diff per file, and what is behind it.
func (a *app) printPlans(plans []agent.RulePlan) error {
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	changed := 0
	for _, p := range plans {
		if !p.Changes() && p.Error == "" && p.Held == "" && len(p.Refused) == 0 {
			continue
		}
		changed++
		a.printPlan(p, painter(color))
	}
	if changed == 0 {
		fmt.Fprintf(a.out, "No changes: %s in step.\n", human.Count(len(plans), "rule"))
	}
	return nil
}

func (a *app) printPlan(p agent.RulePlan, paint painterFunc) {
	fmt.Fprintf(a.out, "%s\n", paint(bold, "rule "+p.Rule))
	if p.Error != "" {
		fmt.Fprintf(a.out, "  %s %s\n", paint(red, "error:"), printable(p.Error))
	}
	if p.Held != "" {
		fmt.Fprintf(a.out, "  %s %s\n", paint(yellow, "held:"), printable(p.Held))
	}
	for _, r := range p.Refused {
		fmt.Fprintf(a.out, "  %s %s\n", paint(yellow, "left out:"), printable(r.String()))
	}
	for _, m := range p.Gained {
		fmt.Fprintf(a.out, "  %s %s\n", paint(green, "+ member"), printable(m))
	}
	for _, m := range p.Lost {
		fmt.Fprintf(a.out, "  %s %s\n", paint(red, "- member"), printable(m))
	}
	for _, f := range p.Files {
		fmt.Fprintf(a.out, "  %s %s\n", f.Action, printable(f.Path))
		if f.Sensitive && f.Diff == "" {
			fmt.Fprintln(a.out, "    (sensitive: its text is not shown)")
			continue
		}
		if f.Cut {
			fmt.Fprintln(a.out, "    (too large to be compared, or changed just now: its text is not shown)")
		}
		a.printDiff("    ", f.Diff, paint)
	}
	if len(p.Check) > 0 {
		fmt.Fprintf(a.out, "  would check:  %s\n", printable(command.Words(p.Check)))
	}
	if len(p.Reload) > 0 {
		fmt.Fprintf(a.out, "  would reload: %s\n", printable(command.Words(p.Reload)))
	}
	if len(p.Verify) > 0 {
		fmt.Fprintf(a.out, "  would verify: %s\n", printable(command.Words(p.Verify)))
	}
	if p.Live {
		fmt.Fprintln(a.out, "  would tell the running service: no reload")
	}
	fmt.Fprintln(a.out)
}

// printDiff prints a unified diff.
func (a *app) printDiff(indent, diff string, paint painterFunc) {
	if diff == "" {
		return
	}
	for _, line := range printableLines(diff) {
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
			line = paint(bold, line)
		case strings.HasPrefix(line, "@@"):
			line = paint(cyan, line)
		case strings.HasPrefix(line, "+"):
			line = paint(green, line)
		case strings.HasPrefix(line, "-"):
			line = paint(red, line)
		}
		fmt.Fprintln(a.out, indent+line)
	}
}
