package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

// pingQuery is the query that every Serf node acknowledges and none answers.
const pingQuery = "_serf_ping"

// What to look at when not all answer, or some answer that should not.
const (
	missingMeans = `The agent believes them alive, and they did not hear, or were not heard: gossip
gets lost on the way.`
	strangeMeans = `They answer, and yet the agent believes them gone: it takes live members for
failed ones.`
	twiceMeans = `An answer that comes twice means that two nodes bear one name: each needs a name
of its own.`
	whatToTry = `
What to try:
* From each of them, reach the address that 'muster members' shows of the others,
  over UDP and over TCP: both are needed, both ways.
* A node that advertises another address than it listens on: is that address
  forwarded to it, with UDP?
* Is there address translation (NAT) between them? Gossip needs addresses that
  mean the same to everybody.
* Do firewalls let the gossip port pass, 7946 unless configured otherwise?
* Is a node so busy, or its clock so often stopped, that it answers late?`
)

func (a *app) reachabilityCommand() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "reachability",
		Short: "Test whether an agent reaches all live members",
		Long: `Have a running agent ask every node for a sign of life, and compare who answers
with who it believes alive. The exit code is 1 if they differ.`,
		Example: `  muster reachability --verbose`,
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return a.reach(cmd.Context(), client, verbose)
		},
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "print every answer, and how long it took")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// A reach is who answered, against who should.
type reach struct {
	Members int             `json:"members"` // known, whatever their status
	Live    int             `json:"live"`
	Heard   []string        `json:"heard"` // in the order of their answers
	Twice   []string        `json:"twice,omitempty"`
	Missing []string        `json:"missing,omitempty"`
	Strange []string        `json:"strange,omitempty"` // answered, though not alive
	live    map[string]bool // who is, and whether it has answered
}

// reach runs the test.
func (a *app) reach(ctx context.Context, client *rpc.Client, verbose bool) error {
	members, err := client.Members(ctx, rpc.Filter{})
	if err != nil {
		return err
	}
	r := newReach(members)
	say := func(format string, args ...any) {
		if !a.wantsJSON() {
			fmt.Fprintf(a.out, format+"\n", args...)
		}
	}
	say("Total members: %d, live members: %d", r.Members, r.Live)
	answers, err := client.Query(ctx, cluster.Query{Name: pingQuery, Ack: true})
	if err != nil {
		return err
	}
	defer answers.Close()
	say("Starting reachability test...")
	start := time.Now()
	last := start
	progress := func() string {
		return fmt.Sprintf("%d of %d reached, %.1f s so far", len(r.Heard), r.Live, time.Since(start).Seconds())
	}
	err = a.hear(ctx, answers, progress, func(answer cluster.Answer) bool {
		last = time.Now()
		if verbose {
			say("\tAck from '%s'", plain(answer.From))
		}
		if !r.add(answer.From) {
			say("Duplicate response from '%s'", plain(answer.From))
		}
		return r.complete()
	}, r.complete())
	if err != nil {
		return err
	}
	if verbose {
		say("Query time: %.2f sec, time to last response: %.2f sec", time.Since(start).Seconds(), last.Sub(start).Seconds())
	}
	r.close()
	if a.wantsJSON() {
		if err := a.printSerfJSON(r); err != nil {
			return err
		}
	} else {
		a.printReach(r)
	}
	if !r.ok() {
		return exit{code: exitFailed}
	}
	return nil
}

// printReach says how the test went and, if it did not go well, what that
// means.
func (a *app) printReach(r *reach) {
	list := func(title string, names []string, means string) {
		if len(names) == 0 {
			return
		}
		fmt.Fprintln(a.out, title)
		for _, name := range names {
			fmt.Fprintf(a.out, "\t%s\n", plain(name))
		}
		fmt.Fprintln(a.out, means)
	}
	if len(r.Twice) > 0 {
		fmt.Fprintln(a.out, twiceMeans)
	}
	if len(r.Missing) == 0 && len(r.Strange) == 0 {
		fmt.Fprintln(a.out, "Successfully contacted all live nodes")
		return
	}
	list("Received more acks than live nodes! Acks from non-live nodes:", r.Strange, strangeMeans)
	list("Received less acks than live nodes! Missing acks from:", r.Missing, missingMeans)
	fmt.Fprintln(a.out, whatToTry)
}

func newReach(members []rpc.Member) *reach {
	r := &reach{Members: len(members), Heard: []string{}, live: map[string]bool{}}
	for _, m := range members {
		if m.Status == cluster.Alive {
			r.live[m.Name] = false
		}
	}
	r.Live = len(r.live)
	return r
}

// add takes an answer, and reports whether it is the first of this node.
func (r *reach) add(from string) bool {
	if slices.Contains(r.Heard, from) {
		r.Twice = append(r.Twice, from)
		return false
	}
	r.Heard = append(r.Heard, from)
	if _, live := r.live[from]; live {
		r.live[from] = true
	} else {
		r.Strange = append(r.Strange, from)
	}
	return true
}

// complete reports whether every live member has answered.
func (r *reach) complete() bool { return len(r.Heard) == r.Live+len(r.Strange) }

// close finds who is missing.
func (r *reach) close() {
	for _, name := range slices.Sorted(maps.Keys(r.live)) {
		if !r.live[name] {
			r.Missing = append(r.Missing, name)
		}
	}
}

func (r *reach) ok() bool { return len(r.Missing) == 0 && len(r.Strange) == 0 && len(r.Twice) == 0 }
