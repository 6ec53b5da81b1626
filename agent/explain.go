package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"muster/actions"
	"muster/cluster"
	"muster/rules"
)

// ErrUnknown is in the error about a rule or member that does not exist.
var ErrUnknown = errors.New("no such")

// A RuleExplanation says why a rule last ran or did not.
type RuleExplanation struct {
	RuleStatus
	// Self is how this node stands to the rule's `self` block.
	Self []rules.Clause `json:"self,omitempty"`
	// Selected are the names of the members selected now.
	Selected []string `json:"selected"`
	// On are the events that a rule acts on.
	On []string `json:"on,omitempty"`
	// Acting is how a rule that acts is doing; nil for one that renders.
	Acting *actions.Status `json:"acting,omitempty"`
}

// A MemberExplanation says where a member appears, and why.
type MemberExplanation struct {
	Member cluster.Member `json:"member"`
	Rules  []Appearance   `json:"rules"`
}

// An Appearance is how one rule sees a member.
type Appearance struct {
	Rule     string         `json:"rule"`
	InForce  bool           `json:"in_force"`          // on this node
	Selected bool           `json:"selected"`          // the rule renders it
	Grace    bool           `json:"grace,omitempty"`   // only because its failure is young
	Clauses  []rules.Clause `json:"clauses"`           // of the rule's `members` block
	Refused  []Refusal      `json:"refused,omitempty"` // why it was left out all the same
}

// ExplainRule says why the rule last ran or did not.
func (a *Agent) ExplainRule(ctx context.Context, name string) (RuleExplanation, error) {
	var e RuleExplanation
	var err error
	asked := a.ask(ctx, func(l *loop) {
		var ok bool
		if e, ok = l.explainActing(name); ok {
			return
		}
		var states []*state
		if states, err = l.named([]string{name}); err != nil {
			return
		}
		s := states[0]
		e.RuleStatus = l.status(states)[0]
		e.Self = s.rule.SelfVerdict(l.view.SelfMember())
		e.Selected = names(nil, s.selection.Members())
	})
	return e, errors.Join(asked, err)
}

// ExplainMember says which rules select the member, clause by clause.
func (a *Agent) ExplainMember(ctx context.Context, name string) (MemberExplanation, error) {
	e := MemberExplanation{Rules: []Appearance{}}
	var err error
	asked := a.ask(ctx, func(l *loop) {
		m, ok := l.view.Member(name)
		if !ok {
			err = fmt.Errorf("%w member %q: `muster members` lists those known", ErrUnknown, name)
			return
		}
		e.Member = m
		for _, s := range l.states {
			e.Rules = append(e.Rules, s.appearance(m, l.view))
		}
	})
	return e, errors.Join(asked, err)
}

// appearance says how the rule sees m.
func (s *state) appearance(m cluster.Member, v cluster.View) Appearance {
	a := Appearance{Rule: s.rule.Name, InForce: s.inForce, Clauses: s.rule.Verdict(m, v)}
	if a.Clauses == nil {
		a.Clauses = []rules.Clause{}
	}
	a.Selected = slices.ContainsFunc(s.selection.Members(), func(o cluster.Member) bool { return o.Name == m.Name })
	a.Grace = a.Selected && !s.rule.Matches(m, v)
	if s.report != nil {
		for _, r := range s.report.Refused {
			if r.Member == m.Name {
				a.Refused = append(a.Refused, r)
			}
		}
	}
	return a
}

// Members returns every member known, whatever its status.
func (a *Agent) Members() []cluster.Member {
	members := a.cfg.Source.View().Members
	if members == nil {
		members = []cluster.Member{}
	}
	return members
}
