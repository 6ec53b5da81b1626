package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"muster/cluster"
	"muster/reconcile"
)

// An Offline works on a program and a list of members, without a cluster.
type Offline struct {
	program  *Program
	view     cluster.View
	stateDir string
}

// NewOffline returns an Offline. stateDir is where an agent of this host keeps
// its journal.
func NewOffline(p *Program, v cluster.View, stateDir string) *Offline {
	return &Offline{p, v, stateDir}
}

// OfflineView makes a settled view of a list of members, seen by self. A
// member without a status counts as alive.
func OfflineView(self string, members []cluster.Member) (cluster.View, error) {
	members = slices.Clone(members)
	for i := range members {
		m := &members[i]
		if m.Status == "" {
			m.Status = cluster.Alive
		}
		switch {
		case m.Name == "":
			return cluster.View{}, fmt.Errorf("cannot use member %d of the list: it has no name", i+1)
		case !m.Addr.IsValid():
			return cluster.View{}, fmt.Errorf("cannot use member %q: it has no address", m.Name)
		case !m.Status.Valid():
			return cluster.View{}, fmt.Errorf("cannot use member %q: its status is %q and neither alive, leaving, left nor failed", m.Name, m.Status)
		}
	}
	cluster.SortMembers(members)
	for i := range members {
		if i > 0 && members[i].Name == members[i-1].Name {
			return cluster.View{}, fmt.Errorf("cannot use member %q: it is in the list twice", members[i].Name)
		}
	}
	return cluster.View{Self: self, Members: members, Settled: true, At: time.Now()}, nil
}

// subjects are the rules named, or all that render.
func (o *Offline) subjects(names []string) ([]subject, error) {
	l := &loop{view: o.view, program: o.program}
	for _, c := range o.program.rules {
		if c.Renders() {
			s := &state{rule: c, selection: c.NewSelection(), inForce: c.InForce(o.view.SelfMember())}
			s.update(o.view.At, o.view, nil)
			l.states = append(l.states, s)
		}
	}
	states, err := l.named(names)
	if err != nil {
		return nil, err
	}
	var subjects []subject
	for _, s := range states {
		subjects = append(subjects, s.subject())
	}
	return subjects, nil
}

// A RenderedFile is one file as its rule wants it.
type RenderedFile struct {
	Rule      string    `json:"rule"`
	Path      string    `json:"path"`
	Sensitive bool      `json:"sensitive,omitempty"`
	Text      string    `json:"text,omitempty"` // empty for a sensitive file
	Refused   []Refusal `json:"refused,omitempty"`

	bytes []byte
}

// Bytes returns the file's content, sensitive or not.
func (f RenderedFile) Bytes() []byte { return f.bytes }

// Render renders the rules named, or all that are in force. With an error it
// returns the files of the rules that could be rendered.
func (o *Offline) Render(names []string) ([]RenderedFile, error) {
	subjects, err := o.subjects(names)
	if err != nil {
		return nil, err
	}
	files := []RenderedFile{}
	var failed []error
	for _, s := range subjects {
		rendered, err := s.render(o.view)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for i, f := range rendered.unit.Files {
			file := RenderedFile{Rule: s.rule.Name, Path: f.Path, Sensitive: f.Sensitive, bytes: f.Bytes}
			if !f.Sensitive {
				file.Text = string(f.Bytes)
			}
			if i == 0 {
				file.Refused = rendered.refused
			}
			files = append(files, file)
		}
	}
	return files, errors.Join(failed...)
}

// Plan says what Apply would do. It may run beside an agent.
func (o *Offline) Plan(names []string) ([]RulePlan, error) {
	subjects, err := o.subjects(names)
	if err != nil {
		return nil, err
	}
	r, err := reconcile.Open(reconcile.Config{StateDir: o.stateDir, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	plans := plan(r, o.view, subjects)
	return plans, r.Close()
}

// Apply converges the rules named, or all, once. It fails while an agent uses
// the state directory.
func (o *Offline) Apply(ctx context.Context, names []string, force bool) ([]RuleStatus, error) {
	subjects, err := o.subjects(names)
	if err != nil {
		return nil, err
	}
	// All rules are in this one call: no other can still take over a file.
	r, err := reconcile.Open(reconcile.Config{StateDir: o.stateDir, OrphanAfter: -1})
	if err != nil {
		return nil, err
	}
	p := &pass{}
	var states []*state
	for _, s := range subjects {
		state := &state{rule: s.rule, inForce: s.inForce}
		states = append(states, state)
		p.jobs = append(p.jobs, &job{state: state, view: o.view, subject: s, again: true, force: force, report: Report{Trigger: applyTrigger, At: time.Now()}})
	}
	p.run(ctx, r)
	for _, j := range p.jobs {
		j.finish(o.view.Self, time.Now())
	}
	status := ruleStatus(states, o.view, r)
	return status, r.Close()
}
