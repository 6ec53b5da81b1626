package agent

import (
	"context"
	"slices"
	"time"

	"muster/cluster"
	"muster/reconcile"
	"muster/rules"
)

// A Standing is how an agent's rules stand, and how they stand to some members.
type Standing struct {
	Rules    []RuleStanding   // that render, in the rule set's order
	Mistakes bool             // the rules on disk have mistakes, and some may be out of force
	Members  []MemberStanding // those asked for, in that order
}

// A RuleStanding is how one rule is. One that is in sync with a membership
// that has changed since is pending.
type RuleStanding struct {
	Rule  string
	State reconcile.State
	Since time.Time
	Why   string // of any state but in-sync
}

// A MemberStanding is how an agent and its rules stand to a member.
type MemberStanding struct {
	Name     string
	Status   cluster.Status // as seen here; empty: no such member is known
	Draining bool           // as seen here
	// In are the rules whose services have loaded files that are about the
	// member, as far as that is known.
	In []string
	// Lags are the rules whose services have not loaded what the rule says of
	// the member now: with it, or without it.
	Lags []RuleStanding
}

// Standing says how the rules stand, and how they stand to the members named.
func (a *Agent) Standing(ctx context.Context, members []string) (Standing, error) {
	var s Standing
	err := a.ask(ctx, func(l *loop) { s = l.standing(members) })
	return s, err
}

func (l *loop) standing(members []string) Standing {
	out := Standing{Mistakes: l.problems.HasErrors()}
	for _, name := range members {
		m, _ := l.view.Member(name)
		out.Members = append(out.Members, MemberStanding{Name: name, Status: m.Status, Draining: m.Draining()})
	}
	known := map[string]reconcile.Status{}
	for _, s := range l.reconciler.Status() {
		known[s.Rule] = s
	}
	for i, status := range l.status(l.states) {
		s, applied := l.states[i], known[status.Rule]
		standing := RuleStanding{status.Rule, status.State, status.Since, status.Why}
		if status.Busy && status.State == reconcile.InSync {
			standing.State, standing.Why = reconcile.Pending, "a change is on its way into the files"
		}
		out.Rules = append(out.Rules, standing)
		for j := range out.Members {
			m := &out.Members[j]
			in := !s.static && has(applied.Members, m.Name)
			if in {
				m.In = append(m.In, status.Rule)
			}
			if s.lags(standing.State, in, s.wants(l.view, m.Name)) || owes(applied, standing.State, m.Name) {
				m.Lags = append(m.Lags, standing)
			}
		}
	}
	return out
}

// lags reports whether the rule has something to do about a member that is in
// its loaded files, or is not, and that it wants there, or does not. A rule that
// is at rest has decided: a value of the member's may keep it out.
func (s *state) lags(state reconcile.State, in, wanted bool) bool {
	rests := s.report != nil && !s.busy() && (state == reconcile.InSync || state == NotInForce)
	return !rests && !s.static && in != wanted
}

// owes reports whether what the service has loaded of a member is not known,
// because it came or went with a change that is still owed.
func owes(applied reconcile.Status, state reconcile.State, name string) bool {
	return state == reconcile.Owed && (slices.Contains(applied.Gained, name) || slices.Contains(applied.Lost, name))
}

// wants reports whether the rule's files are to be about the member, as far as
// that is known before they are rendered.
func (s *state) wants(v cluster.View, name string) bool {
	m, known := v.Member(name)
	if !known || !s.inForce {
		return false
	}
	selected := cluster.View{Members: s.selection.Members()} // sorted, too
	if _, is := selected.Member(name); is {
		return true
	}
	return s.reads != nil && (s.reads.everything && m.Status == cluster.Alive ||
		slices.ContainsFunc(s.reads.filters, func(f rules.Filter) bool { return f.Match(m) }))
}

// has looks for a name in a sorted list.
func has(names []string, name string) bool {
	_, found := slices.BinarySearch(names, name)
	return found
}
