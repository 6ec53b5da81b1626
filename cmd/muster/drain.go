package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/drain"
	"muster/fleet"
	"muster/human"
	"muster/order"
	"muster/web"
)

// drainTimeout is how long --wait waits unless told otherwise.
const drainTimeout = 60 * time.Second

// A drainResult is what drain and undrain print as JSON.
type drainResult struct {
	Node     string          `json:"node"`
	Draining bool            `json:"draining"`
	Laggards []fleet.Laggard `json:"laggards,omitempty"` // after --timeout
	Unasked  []string        `json:"unasked,omitempty"`  // nodes that were not waited for
}

// drainCommand is `drain`, or `undrain`.
func (a *app) drainCommand(drains bool) *cobra.Command {
	var keyFile string
	var wait bool
	var timeout time.Duration
	use, short, what, until := "drain", "Take a node out of service", "Mark a node as draining: every rule leaves it out that does not say\ndraining = \"include\"", "without the node"
	if !drains {
		use, short, what, until = "undrain", "Take a node that drains back into service", "Take back that a node drains: the rules that match it have it again", "with it again"
	}
	cmd := &cobra.Command{
		Use:   use + " [NODE]",
		Short: short,
		Long: what + `. It outlasts restarts of the agent.

Without NODE it is the agent's own. Another node demands a signature of a key that
it trusts: --sign.

With --wait it returns when every agent whose rules are about the node has loaded
its files ` + until + `. After --timeout the exit code is 1, and those who
lag are named with their reasons. Nodes that failed, and agents of Serf's own,
cannot be asked: they are named, and not waited for.`,
		Example: fmt.Sprintf("  muster %s --wait\n  muster %[1]s --sign admin.key --wait --timeout 2m web1", use),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var node string
			if len(args) == 1 {
				node = args[0]
			}
			if keyFile != "" && node == "" {
				return usage(cmd, errors.New("--sign asks a node, and none is named"))
			}
			if timeout <= 0 {
				return usage(cmd, errors.New("--timeout must be more than nothing"))
			}
			node, err := a.setDrain(cmd, keyFile, node, drains)
			if err != nil {
				return err
			}
			result := drainResult{Node: node, Draining: drains}
			if wait {
				var last fleet.Report
				if last, err = a.awaitFleet(cmd.Context(), node, drains, timeout); err != nil {
					return err
				}
				var unasked []fleet.Node
				result.Laggards, unasked = last.Laggards(node, drains)
				for _, n := range unasked {
					result.Unasked = append(result.Unasked, n.Name)
				}
			}
			return a.printDrain(result, wait, timeout)
		},
	}
	cmd.Flags().StringVar(&keyFile, "sign", "", "sign the request with the private key in `FILE`, as muster keygen --signing makes one")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until every agent has loaded its files "+until)
	cmd.Flags().DurationVar(&timeout, "timeout", drainTimeout, "how `LONG` --wait waits")
	a.asksRPC(cmd)
	a.printsJSON(cmd)
	return cmd
}

// setDrain drains a node, or takes it back, and returns its name.
func (a *app) setDrain(cmd *cobra.Command, keyFile, node string, drains bool) (string, error) {
	verb := drain.Do
	if !drains {
		verb = drain.Undo
	}
	if keyFile != "" {
		_, err := giveOrder[drain.Answer](a, cmd, keyFile, node, drain.Query, order.Order{Do: verb}, "`muster fleet` shows whether it drains all the same")
		return node, err
	}
	client := web.NewClient(socketPath(a.socket))
	here, err := client.Draining(cmd.Context())
	switch {
	case err != nil:
		return node, err
	case here.Node == "":
		return node, fmt.Errorf("cannot %s: the agent does not know its own name yet; try again", verb)
	case node != "" && node != here.Node:
		return node, fmt.Errorf("cannot %s %s from here, which is %s, without a signature: add --sign FILE, or run this on %[2]s", verb, plain(node), plain(here.Node))
	}
	here, err = client.Drain(cmd.Context(), drains)
	return cmp.Or(here.Node, node), err
}

// The time between two looks at the fleet grows from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// leastLook is what the last look is given, though the time is over before: in
// less, those would be named who were not given the time to answer.
const leastLook = 2 * time.Second

// awaitFleet asks the fleet again and again until no node lags, or for as long
// as timeout, and returns the last it heard.
func (a *app) awaitFleet(ctx context.Context, node string, drains bool, timeout time.Duration) (fleet.Report, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	end := time.Now().Add(timeout)
	line := a.newProgress()
	defer line.clear()
	client := web.NewClient(socketPath(a.socket))
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		report, err := client.Fleet(ctx, max(time.Until(end), leastLook), node)
		switch {
		case ctx.Err() != nil:
			return report, errors.New("interrupted; the node stays as it is now")
		case err != nil:
			return report, err
		}
		laggards, _ := report.Laggards(node, drains)
		if len(laggards) == 0 || !time.Now().Before(end) {
			return report, nil
		}
		line.draw(fmt.Sprintf("waiting for %s", printable(human.Few(laggardNames(laggards), mostNamed))))
		select {
		case <-ctx.Done():
		case <-time.After(min(pause, time.Until(end))):
		}
	}
}

// laggardNames are the nodes that lag, each once.
func laggardNames(laggards []fleet.Laggard) []string {
	var names []string
	for _, l := range laggards {
		if len(names) == 0 || names[len(names)-1] != l.Node {
			names = append(names, l.Node)
		}
	}
	return names
}

// printDrain says what has come of it. That somebody lags is an error.
func (a *app) printDrain(r drainResult, waited bool, timeout time.Duration) error {
	state := "drains"
	if !r.Draining {
		state = "takes work again"
	}
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		done := ""
		if waited && len(r.Laggards) == 0 {
			done = ", and every agent has loaded that"
		}
		fmt.Fprintf(a.out, "%s %s%s\n", printable(r.Node), state, done)
	}
	if len(r.Unasked) > 0 {
		fmt.Fprintf(a.err, "not waited for, as they failed or run no muster: %s\n", printable(human.Few(r.Unasked, mostNamed)))
	}
	if len(r.Laggards) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("%s after %s: %s", plural(len(laggardNames(r.Laggards)), "node lags", "nodes lag"), timeout, printable(human.Few(laggardNames(r.Laggards), mostNamed)))}
	for _, l := range r.Laggards[:min(len(r.Laggards), mostLaggards)] {
		lines = append(lines, "  "+printable(laggardLine(l)))
	}
	if more := len(r.Laggards) - mostLaggards; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return exit{exitFailed, strings.Join(lines, "\n")}
}

// mostLaggards is how many reasons are printed.
const mostLaggards = 20

func laggardLine(l fleet.Laggard) string {
	if l.Rule == "" {
		return l.Node + ": " + l.Why
	}
	return fmt.Sprintf("%s: rule %s is %s: %s", l.Node, l.Rule, l.State, l.Why)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
