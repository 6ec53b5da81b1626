package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/human"
	"muster/rules"
	"muster/web"
)

// mostNamed is how many names stand in a line.
const mostNamed = 10

func (a *app) explainCommand() *cobra.Command {
	var member bool
	cmd := &cobra.Command{
		Use:   "explain RULE|MEMBER",
		Short: "Say why a rule last ran or did not, or where a member appears and why",
		Long: `For a rule: what caused its last pass, which members came and went, what the
guard said, what check and reload printed, and what is on disk. For a member:
which rules select it and which do not, clause by clause.

A name that is both means the rule; --member asks for the member.`,
		Args: one("the name of a rule or a member"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := web.NewClient(socketPath(a.socket))
			if !member {
				rule, err := client.ExplainRule(cmd.Context(), args[0])
				if err == nil {
					return a.printRuleExplanation(rule)
				}
				if !web.NotFound(err) {
					return err
				}
			}
			found, err := client.ExplainMember(cmd.Context(), args[0])
			if web.NotFound(err) && !member {
				return fmt.Errorf("cannot explain %q: neither a rule nor a member has this name; see `muster status` and `muster members`", args[0])
			}
			if err != nil {
				return err
			}
			return a.printMemberExplanation(found)
		},
	}
	cmd.Flags().BoolVar(&member, "member", false, "the name is a member's")
	a.asksAgent(cmd)
	a.completesName(cmd)
	a.printsJSON(cmd)
	return cmd
}

func (a *app) printMemberExplanation(e agent.MemberExplanation) error {
	if a.json {
		return a.printJSON(e)
	}
	tags := "no tags"
	if len(e.Member.Tags) > 0 {
		tags = "tags " + printable(tagList(e.Member))
	}
	fmt.Fprintf(a.out, "member %s is %s at %s, %s\n", printable(e.Member.Name), e.Member.Status, e.Member.Addr, tags)
	for _, r := range e.Rules {
		fmt.Fprintf(a.out, "\nrule %s %s\n", r.Rule, selects(r))
		a.printClauses("  ", r.Clauses)
		for _, x := range r.Refused {
			fmt.Fprintf(a.out, "  left out: %s\n", printable(x.String()))
		}
	}
	return nil
}

// selects says in a word how a rule stands to a member.
func selects(r agent.Appearance) string {
	switch {
	case !r.InForce:
		return "is not in force on this node; it would look at it"
	case len(r.Refused) > 0:
		return "selects it, but leaves it out"
	case r.Grace:
		return "keeps it, for its failure is young"
	case r.Selected:
		return "selects it"
	default:
		return "does not select it"
	}
}

func (a *app) printClauses(indent string, clauses []rules.Clause) {
	for _, c := range clauses {
		mark := "yes"
		if !c.OK {
			mark = "no "
		}
		fmt.Fprintf(a.out, "%s%s  %s: is %s\n", indent, mark, printable(c.Text), printable(c.Got))
	}
}

func (a *app) printRuleExplanation(e agent.RuleExplanation) error {
	if a.json {
		return a.printJSON(e)
	}
	fmt.Fprintf(a.out, "rule %s (%s:%d)\n", e.Rule, printable(e.File), e.Line)
	if e.Description != "" {
		fmt.Fprintf(a.out, "  %s\n", printable(e.Description))
	}
	state := string(e.State)
	if !e.Since.IsZero() && e.Acting == nil {
		state += " for " + short(time.Since(e.Since))
	}
	a.field("state", state)
	if len(e.On) > 0 {
		a.field("on", printable(strings.Join(e.On, ", ")))
	}
	if e.Why != "" {
		for i, line := range printableLines(e.Why) {
			a.field([]string{"why", ""}[min(i, 1)], line)
		}
	}
	if len(e.Self) > 0 {
		fmt.Fprintln(a.out, "  this node and the rule's self block:")
		a.printClauses("    ", e.Self)
	}
	selects := human.Count(len(e.Selected), "member")
	if len(e.Selected) > 0 {
		selects += ": " + printable(human.Few(e.Selected, mostNamed))
	}
	a.field("selects", selects)
	if e.Acting != nil {
		a.printActs(*e.Acting)
		return nil
	}
	a.printLastPass(e.RuleStatus)
	return nil
}

// field prints one labelled line; without a label it goes on below the last.
func (a *app) field(label, text string) {
	if label != "" {
		label += ":"
	}
	fmt.Fprintf(a.out, "  %-13s%s\n", label, text)
}
