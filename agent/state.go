package agent

import (
	"slices"
	"time"

	"muster/cluster"
	"muster/rules"
	"muster/services"
)

// A state is what the loop knows of one rule.
type state struct {
	rule      *compiled
	selection *rules.Selection
	inForce   bool

	waiting settle // changes not acted on yet
	trigger string // what caused the oldest of them
	force   bool   // the next pass goes past the guard and the back-off

	retry time.Time // when to look again without a change; zero: never
	wake  time.Time // when the selection changes by itself; zero: never

	running bool
	missed  []cluster.Change // while a pass was running
	touched bool             // a file was, while a pass was running

	reads    *reads  // what the last pass depended on; nil: not known yet
	static   bool    // the last pass found nothing of the membership in the files
	held     bool    // the last pass ended held by a guard
	fighting bool    // the last pass left files to somebody who keeps changing them
	failing  string  // what the last pass failed of; empty: it did not
	report   *Report // of the last pass
	begun    uint64  // passes begun
	tally    Tally
}

// A Report is what the agent itself knows of a rule's last pass that did or
// found something: one that finds everything in place only moves Looked.
type Report struct {
	Looked  time.Time     `json:"looked"`            // when the rule was last looked at
	Trigger string        `json:"trigger"`           // what caused it
	At      time.Time     `json:"at"`                // when it began
	Took    time.Duration `json:"took"`              // until the outcome, in nanoseconds
	Render  time.Duration `json:"render"`            // of it, spent rendering
	Refused []Refusal     `json:"refused,omitempty"` // members and elements left out
	Error   string        `json:"error,omitempty"`   // why it could not be rendered
}

// A Refusal is something the network said that a file cannot hold safely.
type Refusal struct {
	Member string `json:"member,omitempty"` // who said it, where known
	Place  string `json:"place"`            // template or rule file, and line
	Value  string `json:"value,omitempty"`  // quoted and shortened; empty for a sensitive file
	Reason string `json:"reason"`
}

// mark notes that there is reason to look at the rule again.
func (s *state) mark(trigger string, now time.Time) {
	if !s.waiting.pending() {
		s.trigger = trigger
	}
	s.waiting.mark(now)
}

// hurry marks the rule as due at once.
func (s *state) hurry(trigger string, now time.Time) {
	s.trigger = trigger
	s.waiting.mark(now)
	s.waiting.hurry(now)
}

// busy reports whether a pass is to come or under way.
func (s *state) busy() bool { return s.running || s.waiting.pending() }

// due is when the next pass should begin; zero: no reason for one.
func (s *state) due() time.Time {
	var due time.Time
	if s.waiting.pending() {
		due = s.waiting.due(s.rule.Wait.Min, s.rule.Wait.Max)
	}
	return sooner(due, s.retry)
}

// subject is the rule as a pass would take it now.
func (s *state) subject() subject {
	return subject{s.rule, s.selection.Members(), s.inForce}
}

// see takes note of a new view. Changes that the rule's files cannot depend
// on cost next to nothing and mark nothing.
func (s *state) see(v cluster.View, changes []cluster.Change, now time.Time) {
	changed := s.update(now, v, changes)
	inForce := s.rule.InForce(v.SelfMember())
	switch {
	case inForce != s.inForce:
		s.inForce = inForce
		s.mark("self", now)
	case !inForce:
	case changed, s.reads.affected(changes, v.Self):
		s.mark(triggerOf(changes), now)
	}
	if s.running {
		s.missed = append(s.missed, changes...)
	}
}

// update brings the selection up to date.
func (s *state) update(now time.Time, v cluster.View, changes []cluster.Change) bool {
	changed, wake := s.selection.Update(now, v, changes)
	s.wake = wake
	return changed
}

// triggerOf names the cause in a word or two for people.
func triggerOf(changes []cluster.Change) string {
	switch len(changes) {
	case 0:
		return "members"
	case 1:
		return "member " + changes[0].Name()
	default:
		return "members " + changes[0].Name() + " and others"
	}
}

// reads is what a rule's rendering looked at beyond its own selection.
type reads struct {
	everything bool // the whole membership
	self       bool // this node's own entry
	filters    []rules.Filter
	services   []string // types
	tags       *services.Cache
}

// affected reports whether changes may alter what was read.
func (r *reads) affected(changes []cluster.Change, self string) bool {
	if len(changes) == 0 {
		return false
	}
	if r == nil || r.everything {
		return true
	}
	return slices.ContainsFunc(changes, func(c cluster.Change) bool {
		return r.self && c.Name() == self || r.offers(c.Old) || r.offers(c.New) || slices.ContainsFunc(r.filters, func(f rules.Filter) bool {
			return c.Old != nil && f.Match(*c.Old) || c.New != nil && f.Match(*c.New)
		})
	})
}
