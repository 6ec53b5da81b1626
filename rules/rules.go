// Package rules loads the rules a user writes in HCL and says what they mean:
// which members and events a rule is about, which files it wants and with what
// data, which commands it runs. docs/language.md describes the language.
//
// It is the sole owner of HCL and cty: what it hands out are plain Go values.
// It leaves to others how a template's text becomes bytes (templates), how
// files get to the disk (reconcile), and when a rule is looked at (agent).
package rules

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"muster/cluster"
)

// A Set is all that a rules directory says. It is read-only and safe for
// concurrent use.
type Set struct {
	Dir   string  // as given to Load
	Rules []*Rule // by file, then place
	Tests []*Test // likewise
}

// Rule returns the rule called name, or nil.
func (s *Set) Rule(name string) *Rule {
	i := slices.IndexFunc(s.Rules, func(r *Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return s.Rules[i]
}

// Known is what Load must be told of the world around a rules directory.
type Known struct {
	Builtins []string // the built-in templates
	// Vars returns the vars that a built-in takes; nil: any are taken.
	Vars    func(builtin string) []string
	Formats []string // the formats of templates; nil: any name is taken
	// Skip lists files to leave out, named as in Problem.File: a rule file
	// that is listed, and one with a template whose source is.
	Skip []string
}

// A Rule is one rule block. A rule renders or it acts, never both.
type Rule struct {
	Name, Description string
	File              string // as it appears in messages
	Line              int

	On     []EventFilter // what triggers it beside the membership (render), or at all (act)
	Render               // zero in a rule that acts
	Act                  // zero in a rule that renders

	nameAt  hcl.Range
	in      *file
	members selector
	self    *selector // nil: in force everywhere
}

// Renders reports whether r keeps files.
func (r *Rule) Renders() bool { return len(r.Templates) > 0 }

// Acts reports whether r runs, sends or responds.
func (r *Rule) Acts() bool { return len(r.Steps) > 0 }

// InForce reports whether r applies on the node that self describes.
func (r *Rule) InForce(self cluster.Member) bool {
	if r.self == nil {
		return true
	}
	v := cluster.View{Self: self.Name, Members: []cluster.Member{self}}
	return r.self.match(&self, &scope{view: &v})
}

// Triggered reports whether one of r's `on` filters matches e.
func (r *Rule) Triggered(e cluster.Event) bool {
	return slices.ContainsFunc(r.On, func(f EventFilter) bool { return f.Match(e) })
}

// Matches reports whether r's `members` block matches m in the view v. Grace
// does not count here: see Selection.
func (r *Rule) Matches(m cluster.Member, v cluster.View) bool {
	return r.members.match(&m, &scope{view: &v})
}

// Verdict says clause by clause whether r's `members` block matches m.
func (r *Rule) Verdict(m cluster.Member, v cluster.View) []Clause {
	return r.members.verdict(&m, &scope{view: &v})
}

// SelfVerdict says clause by clause whether r is in force on the node that
// self describes. It is nil for a rule without a `self` block.
func (r *Rule) SelfVerdict(self cluster.Member) []Clause {
	if r.self == nil {
		return nil
	}
	v := cluster.View{Self: self.Name, Members: []cluster.Member{self}}
	return r.self.verdict(&self, &scope{view: &v})
}

// A Clause is one condition on a member and how the member stands to it.
type Clause struct {
	Text string `json:"text"` // the condition, as in `status in [alive]`
	Got  string `json:"got"`  // what the member has instead, quoted where it came from the network
	OK   bool   `json:"ok"`
}
