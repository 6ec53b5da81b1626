package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/fleet"
	"muster/human"
	"muster/web"
)

func (a *app) fleetCommand() *cobra.Command {
	var all, check bool
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Show who in the cluster has converged, and who lags",
		Long: `Ask every agent of the cluster how its rules stand, and show those nodes that are
not in sync: the rules that lag, since when and why, nodes that did not answer,
and nodes on which an agent of Serf's own runs, which has no rules.

With --check the exit code is 1 unless every living node of muster's is in sync.`,
		Example: "  muster fleet\n  muster fleet --all --json",
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := web.NewClient(socketPath(a.socket)).Fleet(cmd.Context(), fleet.Longest)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(report)
			} else {
				a.printFleet(report, all)
			}
			if err != nil || !check {
				return err
			}
			for _, n := range report.Nodes {
				if is := standing(n); is != inSyncNode && is != serfNode && n.Status == cluster.Alive {
					return exit{code: exitFailed}
				}
			}
			if report.Problem != "" {
				return exit{code: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show the nodes that are in sync, too")
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 unless every living node of muster's is in sync")
	a.asksAgent(cmd)
	a.printsJSON(cmd)
	return cmd
}

// What a node may be, in the order of the summary.
const (
	inSyncNode  = "in sync"
	laggingNode = "lagging"
	silentNode  = "silent"
	oddNode     = "unreadable"
	serfNode    = "serf"
)

// standing says in a word how a node is.
func standing(n fleet.Node) string {
	switch {
	case n.Status != cluster.Alive:
		return string(n.Status)
	case n.Kind == fleet.Silent:
		return silentNode
	case n.Kind == fleet.Serf:
		return serfNode
	case n.Problem != "":
		return oddNode
	case n.Converged():
		return inSyncNode
	}
	return laggingNode
}

// printFleet prints a summary, and below it the nodes that are not in sync.
func (a *app) printFleet(r fleet.Report, all bool) {
	fmt.Fprintln(a.out, fleetSummary(r))
	if r.Problem != "" {
		fmt.Fprintf(a.out, "the nodes cannot be asked: %s\n", printable(r.Problem))
	}
	var rows [][]string
	for _, n := range r.Nodes {
		if is := standing(n); all || is != inSyncNode {
			rows = append(rows, fleetRows(n, is)...)
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(a.out)
	t := newTable(a.out, "NODE", "STATE", "RULES", "RULE", "IS", "SINCE", "WHY")
	for _, row := range rows {
		t.row(row...)
	}
	t.flush()
}

// fleetSummary says in one line how all are.
func fleetSummary(r fleet.Report) string {
	counts := map[string]int{}
	var draining []string
	for _, n := range r.Nodes {
		counts[standing(n)]++
		if n.Draining {
			draining = append(draining, n.Name)
		}
	}
	var parts []string
	for _, word := range []struct{ is, text string }{
		{inSyncNode, "in sync"}, {laggingNode, "lagging"}, {silentNode, "did not answer"}, {oddNode, "cannot be understood"},
		{serfNode, "of Serf's own"}, {string(cluster.Leaving), "leaving"}, {string(cluster.Failed), "failed"},
	} {
		if n := counts[word.is]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word.text))
		}
	}
	text := human.Count(len(r.Nodes), "node")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if len(draining) > 0 {
		text += fmt.Sprintf("; %d draining (%s)", len(draining), printable(human.Few(draining, mostNamed)))
	}
	switch {
	case !r.Settled:
		text += "; not joined yet"
	case r.Alone:
		text += "; alone: no other node is alive"
	}
	return text
}

// fleetRows are the lines about a node: one for each rule that is not in sync.
func fleetRows(n fleet.Node, is string) [][]string {
	if n.Draining {
		is += ", draining"
	}
	first := []string{n.Name, is, rulesCell(n), "-", "-", "-", "-"}
	switch {
	case n.Problem != "":
		first[6] = n.Problem
	case n.Kind == fleet.Silent:
		first[6] = "it did not answer"
	case n.Kind == fleet.Serf:
		first[6] = "an agent of Serf's own: it has no rules"
	case n.Mistakes:
		first[6] = "its rules have mistakes: muster status there shows them"
	}
	rows := [][]string{first}
	for i, rule := range n.Rules {
		cells := []string{rule.Rule, rule.State, ago(rule.Since), dash(strings.Join(strings.Split(rule.Why, "\n"), " "))}
		if i == 0 && first[6] == "-" {
			copy(first[3:], cells)
			continue
		}
		rows = append(rows, append([]string{"", "", ""}, cells...))
	}
	if n.More > 0 {
		rows = append(rows, []string{"", "", "", fmt.Sprintf("%d more", n.More), "-", "-", "-"})
	}
	return rows
}

// rulesCell is how many of a node's rules are in sync, of how many in force.
func rulesCell(n fleet.Node) string {
	if n.Counts == nil {
		return "-"
	}
	inSync, inForce := n.Tally()
	return strconv.Itoa(inSync) + "/" + strconv.Itoa(inForce)
}
