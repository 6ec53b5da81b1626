package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muster/cluster"
	"muster/human"
	"muster/nodes"
	"muster/web"
)

// nodesWait is how long the first look waits for the nodes' answers, and
// watchEvery how often --watch looks.
const (
	nodesWait  = 5 * time.Second
	watchEvery = 2 * time.Second
)

// nodeOrders are the orders that --sort knows, the first being the default.
var nodeOrders = []string{"name", "rate", "phi"}

func (a *app) nodesCommand() *cobra.Command {
	var watch bool
	var order string
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "Show how the nodes are: state, suspicion, load and memory",
		Long: `Show every node that a running agent knows: its state and for how long, how much
it is suspected of having died (φ), the round-trip time to it, its load averages,
processors and memory, and how old that answer is.

The nodes are asked only while somebody looks, every few seconds, and for half a
minute after. An agent of Serf's own does not answer. A * stands at a φ that has
reached the threshold; the suspicion is only shown, Serf's state is what counts.`,
		Example: `  muster nodes
  muster nodes --watch --sort rate`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(nodeOrders, order) {
				return usage(cmd, fmt.Errorf("cannot sort by %q: --sort takes %s", order, strings.Join(nodeOrders, ", ")))
			}
			if watch {
				return a.watchNodes(cmd.Context(), order)
			}
			report, err := web.NewClient(socketPath(a.socket)).Nodes(cmd.Context(), nodesWait)
			if err != nil {
				return err
			}
			sortNodes(report.Nodes, order)
			if a.json {
				return a.printJSON(report)
			}
			return a.printNodes(report)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look again and again, until Ctrl-C; with --json one object a line")
	cmd.Flags().StringVar(&order, "sort", nodeOrders[0], "sort by `WHAT`: name, rate (least busy first) or phi (most suspected first)")
	a.asksAgent(cmd)
	a.printsJSON(cmd)
	return cmd
}

// watchNodes shows the nodes until Ctrl-C, on a terminal in one place.
func (a *app) watchNodes(ctx context.Context, order string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	out, _ := a.out.(*os.File)
	inPlace := !a.json && out != nil && term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb"
	client := web.NewClient(socketPath(a.socket))
	for first := true; ; first = false {
		report, err := client.Nodes(ctx, nodesWait)
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return err
		}
		sortNodes(report.Nodes, order)
		switch {
		case a.json:
			err = a.printLine(report)
		case inPlace:
			fmt.Fprint(a.out, "\x1b[H\x1b[2J")
			err = a.printNodes(report)
		default:
			if !first {
				fmt.Fprintln(a.out)
			}
			err = a.printNodes(report)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// printLine prints v as JSON on one line.
func (a *app) printLine(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(visible(text), '\n'))
	return err
}

// sortNodes sorts by what --sort names; what is equal in that, and who has
// none of it, by name at the end.
func sortNodes(all []nodes.Node, order string) {
	by := func(x, y *float64, sign int) int {
		switch {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return 1
		case y == nil:
			return -1
		}
		return sign * cmp.Compare(*x, *y)
	}
	slices.SortFunc(all, func(x, y nodes.Node) int {
		var first int
		switch order {
		case "rate":
			first = by(x.Rate, y.Rate, 1)
		case "phi":
			first = by(x.Phi, y.Phi, -1)
		}
		return cmp.Or(first, strings.Compare(x.Name, y.Name))
	})
}

// printNodes prints a table, and below it what it comes to.
func (a *app) printNodes(r nodes.Report) error {
	t := newTable(a.out, "NODE", "ADDRESS", "STATE", "FOR", "PHI", "RTT", "LOAD1", "LOAD5", "LOAD15", "CPUS", "USED", "MEMORY", "RATE", "AGE")
	for _, n := range r.Nodes {
		cells := []string{n.Name, netip.AddrPortFrom(n.Addr, n.Port).String(), stateCell(n), short(r.At.Sub(n.Since)), phiCell(n), rttCell(n.RTT)}
		t.row(append(cells, loadCells(n)...)...)
	}
	t.flush()
	fmt.Fprintf(a.out, "\n%s\n", nodesSummary(r))
	if r.Problem != "" {
		fmt.Fprintf(a.out, "the nodes cannot be asked: %s\n", printable(r.Problem))
	}
	for _, n := range r.Nodes {
		if n.Problem != "" {
			fmt.Fprintf(a.out, "%s: %s\n", printable(n.Name), printable(n.Problem))
		}
	}
	return nil
}

// nodesSummary says in one line how all are.
func nodesSummary(r nodes.Report) string {
	counts, suspected, told := map[cluster.Status]int{}, 0, 0
	for _, n := range r.Nodes {
		counts[n.Status]++
		if n.Suspected {
			suspected++
		}
		if n.Load != nil {
			told++
		}
	}
	parts := []string{human.Count(len(r.Nodes), "node")}
	for _, status := range cluster.Statuses {
		if counts[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[status], status))
		}
	}
	parts = append(parts, fmt.Sprintf("%d suspected (φ ≥ %g)", suspected, r.Threshold), fmt.Sprintf("%d told their load", told))
	switch {
	case r.Alone && !r.Settled:
		parts = append(parts, "alone so far: not joined yet")
	case r.Alone:
		parts = append(parts, "alone: no other node is alive")
	}
	return strings.Join(parts, ", ")
}

// stateCell is Serf's word, and that the node drains.
func stateCell(n nodes.Node) string {
	if (cluster.Member{Tags: n.Tags}).Draining() {
		return string(n.Status) + ", draining"
	}
	return string(n.Status)
}

func phiCell(n nodes.Node) string {
	switch {
	case n.Phi == nil:
		return "-"
	case n.Suspected:
		return fmt.Sprintf("%.1f*", *n.Phi)
	}
	return fmt.Sprintf("%.1f", *n.Phi)
}

func rttCell(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fms", d.Seconds()*1000)
}

// loadCells are the columns of what a node says of itself.
func loadCells(n nodes.Node) []string {
	if n.Load == nil {
		return []string{"-", "-", "-", "-", "-", "-", "-", "-"}
	}
	average := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	return []string{
		average(n.Load.Load1), average(n.Load.Load5), average(n.Load.Load15), fmt.Sprint(n.Load.CPUs),
		fmt.Sprintf("%.0f%%", 100*n.Load.UsedMemory()), human.Size(n.Load.MemTotal, ""), fmt.Sprintf("%.2f", *n.Rate), short(n.Age),
	}
}
