package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"muster/command"
	"muster/human"
	"muster/launch"
	"muster/metadata"
)

// tellLaunch returns what shows the progress: who was picked, and then a line
// on standard error for each task of each node, and for each play.
func (a *app) tellLaunch(c launch.Choice) func(launch.Event) {
	width := 0
	var picked []string
	for _, n := range c.Picked {
		width = max(width, len(n.Name))
		picked = append(picked, fmt.Sprintf("%s (%s)", n.Name, rateCell(n.Rate)))
	}
	fmt.Fprintf(a.err, "picked, by rate: %s\n", strings.Join(picked, ", "))
	color, _ := a.colored(a.err)
	paint := painter(color)
	colors := map[string]string{"ok": green, "changed": yellow, "failed": red, "unreachable": red, "skipped": cyan, "ignored": cyan}
	return func(e launch.Event) {
		switch e.Event {
		case "play":
			fmt.Fprintf(a.err, "play: %s\n", printable(e.Play))
		case "task":
			line := fmt.Sprintf("%-*s  %s  %s", width, printable(e.Host), paint(colors[e.State], fmt.Sprintf("%-11s", printable(e.State))), printable(e.Task))
			if e.Why != "" {
				line += ": " + command.Line([]byte(e.Why), mostReason)
			}
			fmt.Fprintln(a.err, line)
		}
	}
}

// mostReason is how many bytes of a reason are printed.
const mostReason = 600

func rateCell(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *rate)
}

// printLaunch prints how each node has fared, or would be treated.
func (a *app) printLaunch(r launch.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	t := newTable(a.out, "NODE", "ADDRESS", "RATE", "STATE", "OK", "CHANGED", "WHY")
	if r.DryRun {
		t = newTable(a.out, "NODE", "ADDRESS", "RATE", "STATE", "WHY")
	}
	for _, n := range append(r.Nodes[:len(r.Nodes):len(r.Nodes)], r.Spare...) {
		cells := []string{n.Node, n.Addr.String(), rateCell(n.Rate), string(n.State)}
		if !r.DryRun {
			why := n.Why
			if n.Task != "" {
				why = n.Task + ": " + n.Why
			}
			cells = append(cells, fmt.Sprint(n.OK), fmt.Sprint(n.Changed), command.Line([]byte(why), mostReason))
		}
		t.row(cells...)
	}
	if r.DryRun {
		for _, o := range r.Others {
			t.row(o.Node, "-", "-", "-", o.Why)
		}
	}
	t.flush()
	if r.Do == "remove" && !r.DryRun {
		for _, o := range r.Others {
			fmt.Fprintf(a.err, "%s keeps it on its list: it %s\n", printable(o.Node), printable(o.Why))
		}
	}
	return nil
}

// launchFailures is the error that says what has not succeeded, and for nodes
// that have the service though their lists do not say so, or the other way
// round, the commands that make up for it.
func (a *app) launchFailures(cmd *cobra.Command, o launchOrder, self string, outcome launch.Outcome, report launch.Report) error {
	if report.Done() {
		return nil
	}
	done := 0
	var owed []string
	for _, n := range report.Nodes {
		switch n.State {
		case launch.Done:
			done++
		case launch.Unregistered:
			owed = append(owed, fmt.Sprintf("  %s: the playbook has succeeded, but the node's list does not say so; repeat that part with\n    %s",
				n.Node, command.Words(a.repeat(cmd, o, n.Node, self))))
		}
	}
	lines := []string{fmt.Sprintf("%s %s: succeeded on %d of %s", report.Do, o.Service, done, human.Count(len(report.Nodes), "node"))}
	if report.Interrupted {
		lines[0] += "; interrupted, Ansible is stopped, and what had succeeded is registered"
	} else if report.Ansible != "" {
		lines[0] += "; ansible-playbook: " + report.Ansible
	}
	if o.all && len(report.Others) > 0 {
		lines[0] += fmt.Sprintf("; %s could not be picked", human.Count(len(report.Others), "more node"))
	}
	lines = append(lines, owed...)
	// Where Ansible has told why, its output would only say so again.
	if told := strings.Join(reasons(report), ""); told == "" && outcome.Output != "" && !report.Interrupted {
		lines = append(lines, strings.TrimSpace(outcome.Output))
	}
	return exit{exitFailed, strings.Join(lines, "\n")}
}

func reasons(r launch.Report) (all []string) {
	for _, n := range r.Nodes {
		if n.State != launch.Untouched && n.State != launch.Unfinished {
			all = append(all, n.Why)
		}
	}
	return all
}

// repeat is the command that changes a node's list once more.
func (a *app) repeat(cmd *cobra.Command, o launchOrder, node, self string) []string {
	do := metadata.Add
	if o.Remove {
		do = metadata.Remove
	}
	argv := []string{"muster", "service", do}
	for _, name := range []string{"socket", "rpc-addr"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			argv = append(argv, "--"+name, flag.Value.String())
		}
	}
	if node != self {
		argv = append(argv, "--sign", o.keyFile)
	}
	return append(argv, node, o.Service)
}
