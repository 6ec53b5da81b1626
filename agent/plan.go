package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"muster/cluster"
	"muster/reconcile"
)

// A RulePlan is what a pass would do now for one rule.
type RulePlan struct {
	Rule    string     `json:"rule"`
	InForce bool       `json:"in_force"` // on this node
	Files   []FilePlan `json:"files"`    // those that would change
	Gained  []string   `json:"gained,omitempty"`
	Lost    []string   `json:"lost,omitempty"`
	Check   []string   `json:"check,omitempty"`  // argv that would run
	Reload  []string   `json:"reload,omitempty"` // argv that would run
	Verify  []string   `json:"verify,omitempty"` // argv that would run after it, or what would be waited for
	Live    bool       `json:"live,omitempty"`   // the running service would be told, without a reload
	Held    string     `json:"held,omitempty"`   // why the guard would keep the files as they are
	Why     string     `json:"why,omitempty"`    // what else stands in the way, or that a reload is owed
	Refused []Refusal  `json:"refused,omitempty"`
	Error   string     `json:"error,omitempty"` // why it cannot be planned
}

// Changes reports whether a pass would change a file or run a command.
func (p RulePlan) Changes() bool {
	return p.Held == "" && (len(p.Files) > 0 || len(p.Check) > 0 || len(p.Reload) > 0)
}

// A FilePlan is what would happen to one file.
type FilePlan struct {
	Path      string `json:"path"`
	Action    string `json:"action"`          // create, update, remove
	Diff      string `json:"diff,omitempty"`  // unified; empty for a sensitive file
	Drift     bool   `json:"drift,omitempty"` // somebody else changed it
	Sensitive bool   `json:"sensitive,omitempty"`
	// Cut says that Diff is missing: what is there is too large to be compared,
	// or cannot be read as it was seen.
	Cut bool `json:"cut,omitempty"`
}

// A subject is a rule with the members that it would be rendered from.
type subject struct {
	rule    *compiled
	members []cluster.Member
	inForce bool
}

// plan says what a pass would do for the subjects.
func plan(r *reconcile.Reconciler, v cluster.View, subjects []subject) []RulePlan {
	plans := make([]RulePlan, len(subjects))
	var units []reconcile.Unit
	var at []int // which of plans each unit is
	for i, s := range subjects {
		plans[i] = RulePlan{Rule: s.rule.Name, InForce: s.inForce, Files: []FilePlan{}}
		rendered, err := s.render(v)
		if err != nil {
			plans[i].Error = err.Error()
			continue
		}
		plans[i].Refused = rendered.refused
		units = append(units, rendered.unit)
		at = append(at, i)
	}
	for i, p := range r.Plan(units) {
		plans[at[i]].fill(p)
	}
	return plans
}

// render renders the rule, or nothing where it is not in force.
func (s subject) render(v cluster.View) (*rendering, error) {
	if !s.inForce {
		return &rendering{unit: reconcile.Unit{Rule: s.rule.Name, Static: true, OnOrphan: s.rule.OnOrphan}}, nil
	}
	return s.rule.render(v, s.members)
}

// fill takes over what reconcile found.
func (p *RulePlan) fill(found reconcile.Plan) {
	p.Gained, p.Lost, p.Check, p.Reload = found.Gained, found.Lost, found.Check, found.Reload
	p.Verify, p.Live = found.Verify, found.Live
	if p.Why = found.Why; found.Verdict.Held {
		p.Held, p.Why = found.Verdict.Why, ""
	}
	if found.Err != nil {
		p.Error = found.Err.Error()
	}
	for _, f := range found.Files {
		if f.Action == reconcile.ActionNone {
			continue
		}
		file := FilePlan{Path: f.Path, Action: f.Action, Drift: f.Drift, Sensitive: f.Sensitive, Cut: f.Cut}
		if !f.Sensitive && !f.Cut {
			file.Diff = diff(f.Path, f.Old, f.New)
		}
		p.Files = append(p.Files, file)
	}
}

// diff is a unified diff of a file as it is and as it would be.
func diff(path string, old, new []byte) string {
	return udiff.Unified(path, path, string(old), string(new))
}

// A Refusal's String is one line for people.
func (r Refusal) String() string {
	who := ""
	if r.Member != "" {
		who = "member " + r.Member + ": "
	}
	if r.Value != "" {
		r.Reason += ": " + r.Value
	}
	return fmt.Sprintf("%s%s at %s", who, r.Reason, r.Place)
}

// Plan says what a pass would do now for the rules named, or for all of them.
func (a *Agent) Plan(ctx context.Context, names []string) ([]RulePlan, error) {
	var subjects []subject
	var view cluster.View
	var err error
	asked := a.ask(ctx, func(l *loop) {
		var states []*state
		states, err = l.named(names)
		for _, s := range states {
			subjects = append(subjects, s.subject())
		}
		view = l.view
	})
	if asked != nil {
		return nil, asked
	}
	if err != nil {
		return nil, err
	}
	return plan(a.reconciler, view, subjects), nil
}

// named returns the rules of the names, or all of them.
func (l *loop) named(names []string) ([]*state, error) {
	if len(names) == 0 {
		return l.states, nil
	}
	var found []*state
	for _, name := range names {
		i := slices.IndexFunc(l.states, func(s *state) bool { return s.rule.Name == name })
		if i < 0 {
			return nil, l.unknownRule(name)
		}
		found = append(found, l.states[i])
	}
	return found, nil
}

// unknownRule says which rules there are.
func (l *loop) unknownRule(name string) error {
	if slices.ContainsFunc(l.program.rules, func(c *compiled) bool { return c.Name == name }) {
		return fmt.Errorf("cannot look at rule %q: it acts on events and keeps no file: `muster explain %s` says what it did", name, name)
	}
	var all []string
	for _, s := range l.states {
		all = append(all, s.rule.Name)
	}
	if len(all) == 0 {
		return fmt.Errorf("%w rule %q: no rules are in force", ErrUnknown, name)
	}
	return fmt.Errorf("%w rule %q: the rules are %s", ErrUnknown, name, strings.Join(all, ", "))
}
