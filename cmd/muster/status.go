package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/actions"
	"muster/agent"
	"muster/cluster"
	"muster/command"
	"muster/human"
	"muster/reconcile"
	"muster/web"
)

func (a *app) statusCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status [RULE...]",
		Short: "Show how every rule and file is, since when, and why",
		Long: `Show the state of every rule and file:

  in-sync       on disk is what the rule wants, and the service has loaded it
  drifted       somebody else changed the file, and it could not be put back yet
  held          a guard keeps the last good files
  failed        the change could not be made; the old files are in force
  owed          the service has not loaded what is on disk yet
  orphaned      muster wrote the file, and no rule produces it any more
  pending       not looked at yet, or waiting for its time
  not-in-force  this node does not match the rule's self block

With --check the exit code is 1 unless every rule is in sync or not in force,
and the rules on disk have no mistakes.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			status, err := web.NewClient(socketPath(a.socket)).Status(cmd.Context())
			if err != nil {
				return err
			}
			if err = pick(&status, names); err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(status)
			} else {
				err = a.printStatus(status)
			}
			if err != nil || !check {
				return err
			}
			if len(names) == 0 && (status.Problems.HasErrors() || len(status.Acting.Problems) > 0) {
				return exit{code: exitFailed}
			}
			return inSync(status.Rules)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 unless every rule is in sync")
	a.asksAgent(cmd)
	a.completesRules(cmd)
	a.printsJSON(cmd)
	return cmd
}

// pick keeps the rules named, or all.
func pick(s *agent.Status, names []string) error {
	if len(names) == 0 {
		return nil
	}
	s.Services = nil
	rules, each := s.Rules, s.Acting.Each
	s.Rules, s.Acting.Each = nil, nil
	for _, name := range names {
		if i := slices.IndexFunc(rules, func(r agent.RuleStatus) bool { return r.Rule == name }); i >= 0 {
			s.Rules = append(s.Rules, rules[i])
		} else if i := slices.IndexFunc(each, func(one actions.Status) bool { return one.Name == name }); i >= 0 {
			s.Acting.Each = append(s.Acting.Each, each[i])
		} else {
			return fmt.Errorf("cannot show rule %q: there is none of that name", name)
		}
	}
	return nil
}

func (a *app) printStatus(s agent.Status) error {
	var counts []string
	for _, status := range cluster.Statuses {
		if n := s.Members[string(status)]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, status))
		}
	}
	if s.Node.Name == "" { // it follows an agent that it has not reached yet
		fmt.Fprintln(a.out, "no members are known yet")
	} else {
		fmt.Fprintf(a.out, "%s at %s: %s%s\n", printable(s.Node.Name), s.Node.Advertise, strings.Join(counts, ", "), mood(s))
	}
	a.printTroubles(s.Node)
	fmt.Fprintln(a.out)
	if s.Problems.HasErrors() {
		fmt.Fprintf(a.out, "The rules in %s have mistakes; %s:\n\n", printable(s.Dir), inForce(s))
	}
	if len(s.Problems) > 0 {
		if err := s.Problems.Print(a.out, false); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	if len(s.Rules) == 0 && len(s.Acting.Each) == 0 {
		fmt.Fprintf(a.out, "No rule in %s keeps a file.\n", printable(s.Dir))
	}
	if len(s.Rules) > 0 {
		if err := a.printRules(s.Rules); err != nil {
			return err
		}
		if len(s.Acting.Each) > 0 {
			fmt.Fprintln(a.out)
		}
	}
	a.printActing(s.Acting)
	a.printPublished(s)
	return nil
}

// mostConflicts is how many of the latest name conflicts status prints.
const mostConflicts = 4

// printTroubles says what keeps the node from its cluster, and what it keeps out.
func (a *app) printTroubles(n cluster.Info) {
	if n.Problem != "" {
		fmt.Fprintf(a.out, "  not in the cluster: %s\n", printable(n.Problem))
	}
	if n.JoinError != "" {
		fmt.Fprintf(a.out, "  cannot join: %s\n", strings.Join(printableLines(n.JoinError), "\n    "))
	}
	for _, c := range n.Conflicts[max(0, len(n.Conflicts)-mostConflicts):] {
		fmt.Fprintf(a.out, "  two nodes claim the name %s: %s has it, %s was refused %s, last %s\n",
			printable(c.Name), c.Kept, c.Refused, human.Count(int(c.Count), "time"), ago(c.Last))
	}
	var refused []string
	for _, reason := range slices.Sorted(maps.Keys(n.Refused)) {
		refused = append(refused, fmt.Sprintf("%s %d", reason, n.Refused[reason]))
	}
	if len(refused) > 0 {
		fmt.Fprintf(a.out, "  refused from the network, by reason: %s\n", strings.Join(refused, ", "))
	}
}

// inForce says which rules are in force while those on disk have mistakes.
func inForce(s agent.Status) string {
	if !slices.ContainsFunc(s.Rules, func(r agent.RuleStatus) bool { return r.File != "" }) {
		return "none is in force"
	}
	return "those read " + ago(s.Loaded) + " are in force"
}

// mood says what is unusual about the node's view.
func mood(s agent.Status) string {
	var words []string
	if !s.Settled {
		words = append(words, "waiting for the first join to settle")
	}
	if s.Draining {
		words = append(words, "draining")
	}
	if s.Alone {
		words = append(words, "alone")
	}
	if s.Doubt > 0 {
		words = append(words, "in doubt about itself")
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// printRules prints a table of rules and their files, and below it why those
// that are not in sync are not.
func (a *app) printRules(all []agent.RuleStatus) error {
	t := newTable(a.out, "RULE", "STATE", "SINCE", "MEMBERS", "FILE")
	for _, r := range all {
		t.row(r.Rule, string(r.State), ago(r.Since), fmt.Sprint(r.Members), "")
		for _, f := range r.Files {
			name := f.Path
			if f.Drifts > 0 {
				name += fmt.Sprintf(" (drifted %s, last %s)", human.Count(f.Drifts, "time"), ago(f.Drifted))
			}
			t.row("", string(f.State), ago(f.Since), "", name)
		}
	}
	t.flush()
	for _, r := range all {
		a.printWhy(r)
	}
	return nil
}

// printWhy says why a rule is not in sync, what it left behind and what it
// left out.
func (a *app) printWhy(r agent.RuleStatus) {
	if r.Why != "" && r.State != reconcile.InSync {
		fmt.Fprintf(a.out, "\n%s is %s: %s\n", r.Rule, r.State, strings.Join(printableLines(r.Why), "\n  "))
		a.printNext(r)
	}
	for _, f := range r.Files {
		if f.State == reconcile.Orphaned && r.State != reconcile.Orphaned {
			fmt.Fprintf(a.out, "\n%s is orphaned: %s\n", printable(f.Path), printable(f.Why))
		}
	}
	if r.Pass == nil {
		return
	}
	for _, x := range r.Pass.Refused {
		fmt.Fprintf(a.out, "\n%s leaves out %s\n", r.Rule, printable(x.String()))
	}
}

// printNext says when a rule is looked at again, and how to have it at once.
func (a *app) printNext(r agent.RuleStatus) {
	var next []string
	if !r.Retry.IsZero() {
		next = append(next, "looks again at "+r.Retry.Local().Format("15:04:05"))
	}
	switch r.State {
	case reconcile.Held:
		next = append(next, "`muster apply --force "+r.Rule+"` lets it through")
	case reconcile.Failed, reconcile.Owed, reconcile.Drifted:
		next = append(next, "`muster apply "+r.Rule+"` tries at once")
	}
	if len(next) > 0 {
		fmt.Fprintf(a.out, "  %s\n", strings.Join(next, "; "))
	}
}

// printLastPass prints what is known of a rule's last pass and commands.
func (a *app) printLastPass(r agent.RuleStatus) {
	if r.Pass != nil {
		a.field("looked at", ago(r.Pass.Looked))
		a.field("last ran", fmt.Sprintf("%s, because of: %s, took %s", ago(r.Pass.At), printable(r.Pass.Trigger), short(r.Pass.Took)))
		for _, x := range r.Pass.Refused {
			a.field("left out", printable(x.String()))
		}
	}
	if !r.Applied.IsZero() {
		a.field("last change", ago(r.Applied))
	}
	if len(r.Gained) > 0 {
		a.field("gained", printable(human.Few(r.Gained, mostNamed)))
	}
	if len(r.Lost) > 0 {
		a.field("lost", printable(human.Few(r.Lost, mostNamed)))
	}
	if r.Guard.Held {
		a.field("guard", "held: "+printable(r.Guard.Why))
		if !r.Guard.Until.IsZero() {
			a.field("", "lets go at "+r.Guard.Until.Local().Format("15:04:05")+", or `muster apply --force "+r.Rule+"`")
		}
	} else {
		a.field("guard", "passed")
	}
	a.printRan("check", r.Check)
	a.printRan("reload", r.Reload)
	a.printRan("verify", r.Verify)
	a.printTold(r.Told)
	for _, f := range r.Files {
		a.field("file", fmt.Sprintf("%s is %s", printable(f.Path), f.State))
		a.field("", fmt.Sprintf("wanted %s, on disk %s, loaded %s", dash(f.Desired), dash(f.Disk), dash(f.Loaded)))
	}
}

// printRan prints the last run of a command.
func (a *app) printRan(what string, ran *reconcile.Ran) {
	if ran == nil {
		return
	}
	a.field(what, fmt.Sprintf("%s: %s, %s%s", printable(command.Words(ran.Argv)), printable(ran.Verdict), ago(ran.At), checkedWhere[ran.Mode]))
	if ran.Output != "" {
		for _, line := range printableLines(ran.Output) {
			a.field("", "| "+line)
		}
	}
}

// checkedWhere says where a check saw the files.
var checkedWhere = map[reconcile.CheckMode]string{
	reconcile.CheckStaged:  ", on the staged files",
	reconcile.CheckWrapper: ", on the staged files",
	reconcile.CheckOverlay: ", before the files were put in place",
	reconcile.CheckSwap:    ", on the files in place",
}

// printTold prints what a running service was told last.
func (a *app) printTold(told *reconcile.Told) {
	if told == nil {
		return
	}
	a.field("told", fmt.Sprintf("%d commands, %s", len(told.Commands), ago(told.At)))
	for _, c := range told.Commands {
		a.field("", "| "+printable(c))
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
