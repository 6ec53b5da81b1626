package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/rpc"
)

func (a *app) queryCommand() *cobra.Command {
	var flags queryFlags
	var nodes, tags []string
	cmd := &cobra.Command{
		Use:   "query NAME [PAYLOAD]",
		Short: "Ask the nodes, and print their answers",
		Long: `Send a query through the cluster and print who heard it and what was answered,
as it comes. Rules and handlers for query:NAME answer. It ends when every live
node that is asked has answered, at the latest when the time is over.`,
		Example: `  muster query load
  muster query --tag role=web --timeout 5s version
  muster query --node web1 --node web2 --json uptime`,
		Args: nameAndPayload("query"),
		RunE: func(cmd *cobra.Command, args []string) error {
			byTag, err := tagPatterns(tags)
			if err == nil {
				err = flags.check()
			}
			if err != nil {
				return usage(cmd, err)
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return a.ask(cmd.Context(), client, flags.query(args[0], payload(args), nodes, byTag))
		},
	}
	flags.add(cmd)
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "ask only the node `NAME`; may be given again")
	cmd.Flags().StringArrayVar(&tags, "tag", nil, "ask only nodes with this tag, `KEY=REGEXP`; may be given again")
	a.asksRPC(cmd)
	a.completesFlag(cmd, "node")
	a.printsFormats(cmd)
	return cmd
}

// queryFlags say how a query is asked.
type queryFlags struct {
	timeout time.Duration
	noAck   bool
	relay   uint8
}

func (f *queryFlags) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "wait for answers at most `DURATION` (default: a few seconds, more in a larger cluster)")
	cmd.Flags().BoolVar(&f.noAck, "no-ack", false, "do not have the nodes tell that they heard it")
	cmd.Flags().Uint8Var(&f.relay, "relay-factor", 0, "have `N` other nodes pass on each answer, too")
}

func (f *queryFlags) check() error {
	if f.timeout < 0 {
		return fmt.Errorf("cannot wait for %s: --timeout must be positive", f.timeout)
	}
	return nil
}

func (f *queryFlags) query(name string, payload []byte, nodes []string, tags map[string]string) cluster.Query {
	anchored := map[string]string{}
	for key, text := range tags {
		anchored[key] = "^(?:" + text + ")$" // Serf's own agent would take a part of the tag for it
	}
	return cluster.Query{Name: name, Payload: payload, Nodes: nodes, Tags: anchored, Ack: !f.noAck, Relay: f.relay, Timeout: f.timeout}
}

// ask sends a query and prints what comes.
func (a *app) ask(ctx context.Context, client *rpc.Client, q cluster.Query) error {
	tally, err := a.expect(ctx, client, q)
	if err != nil {
		return err
	}
	start := time.Now()
	answers, err := client.Query(ctx, q)
	if err != nil {
		return err
	}
	defer answers.Close()
	say := func(line string) {
		if !a.wantsJSON() {
			fmt.Fprintln(a.out, line)
		}
	}
	say("Query '" + plain(q.Name) + "' dispatched")
	err = a.hear(ctx, answers, func() string { return tally.progress(start, q.Timeout) }, func(answer cluster.Answer) bool {
		say(answerLine(answer))
		return tally.add(answer)
	}, tally.complete())
	if err != nil {
		return err
	}
	if a.wantsJSON() {
		return a.printSerfJSON(tally.heard)
	}
	if q.Ack {
		say(fmt.Sprintf("Total Acks: %d", tally.acks))
	}
	say(fmt.Sprintf("Total Responses: %d", tally.responses))
	return nil
}

// answerLine is an answer as Serf's command prints it, but always one line.
func answerLine(answer cluster.Answer) string {
	if answer.Ack {
		return fmt.Sprintf("Ack from '%s'", plain(answer.From))
	}
	return fmt.Sprintf("Response from '%s': %s", plain(answer.From), plain(strings.TrimSuffix(string(answer.Payload), "\n")))
}

// A tally counts who has answered of those that were asked.
type tally struct {
	ack     bool            // acknowledgements were asked for
	waiting map[string]bool // not yet through
	asked   int
	heard   heard

	acked           map[string]bool
	acks, responses int
}

// heard is the JSON of `serf query -format=json`.
type heard struct {
	Acks      []string
	Responses map[string]string
}

func newTally(names []string, ack bool) *tally {
	t := &tally{ack: ack, waiting: map[string]bool{}, acked: map[string]bool{}, heard: heard{Responses: map[string]string{}}}
	for _, name := range names {
		t.waiting[name] = true
	}
	t.asked = len(t.waiting)
	return t
}

// add takes an answer, and reports whether it was the last.
func (t *tally) add(answer cluster.Answer) bool {
	if answer.Ack {
		t.acks++
		t.acked[answer.From] = true
		t.heard.Acks = append(t.heard.Acks, answer.From)
	} else {
		t.responses++
		t.heard.Responses[answer.From] = string(answer.Payload)
	}
	if _, responded := t.heard.Responses[answer.From]; responded && (!t.ack || t.acked[answer.From]) {
		delete(t.waiting, answer.From)
	}
	return t.complete()
}

func (t *tally) complete() bool { return len(t.waiting) == 0 }

// progress is how far it is.
func (t *tally) progress(start time.Time, limit time.Duration) string {
	text := fmt.Sprintf("%d of %d answered, ", t.asked-len(t.waiting), t.asked)
	if limit == 0 { // only the agent knows
		return text + fmt.Sprintf("%.1f s so far", time.Since(start).Seconds())
	}
	return text + fmt.Sprintf("%.1f s left", max(0, time.Until(start.Add(limit)).Seconds()))
}

// expect finds out which live members a query is for, and says where that is
// not what was asked for.
func (a *app) expect(ctx context.Context, client *rpc.Client, q cluster.Query) (*tally, error) {
	live, err := client.Members(ctx, rpc.Filter{Status: string(cluster.Alive)})
	if err != nil {
		return nil, err
	}
	var meant []string
	for _, m := range live {
		if (len(q.Nodes) == 0 || slices.Contains(q.Nodes, m.Name)) && tagged(m.Tags, q.Tags) {
			meant = append(meant, m.Name)
		}
	}
	for _, name := range q.Nodes {
		if !slices.Contains(meant, name) {
			fmt.Fprintf(a.err, "No live member that is meant is called %q.\n", name)
		}
	}
	if len(meant) == 0 && len(q.Nodes) == 0 {
		fmt.Fprintln(a.err, "No live member is meant.")
	}
	return newTally(meant, q.Ack), nil
}

// tagged reports whether tags match regular expressions as the nodes match
// them: a tag that is missing is an empty one.
func tagged(tags, patterns map[string]string) bool {
	for key, text := range patterns {
		if re, err := regexp.Compile(text); err != nil || !re.MatchString(tags[key]) {
			return false
		}
	}
	return true
}
