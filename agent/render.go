package agent

import (
	"fmt"
	"maps"
	"slices"

	"muster/cluster"
	"muster/command"
	"muster/reconcile"
	"muster/rules"
	"muster/templates"
)

// A rendering is what a rule wants the host to be, and what that hangs on.
type rendering struct {
	unit    reconcile.Unit
	reads   reads
	refused []Refusal
}

// paths lists the files of the rendering, sorted.
func (r *rendering) paths() []string {
	var paths []string
	for _, f := range r.unit.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// render renders the rule's files from a view and the members selected in it.
// It is a pure function of its arguments.
func (c *compiled) render(v cluster.View, members []cluster.Member) (*rendering, error) {
	outputs, refused, err := c.Outputs(rules.Inputs{View: v, Members: members})
	if err != nil {
		return nil, fmt.Errorf("cannot evaluate rule %q: %w", c.Name, err)
	}
	r := &rendering{unit: reconcile.Unit{
		Rule: c.Name, Every: c.Every, OnOrphan: c.OnOrphan,
		Guard: reconcile.Guard{MinMembers: c.Guard.MinMembers, MaxLoss: c.Guard.MaxLoss, Hold: c.Guard.Hold},
		Alone: v.Alone(), Doubt: v.Doubt > 0,
	}}
	for _, x := range refused {
		r.refused = append(r.refused, Refusal{Place: c.place(x.Line), Value: x.Value, Reason: x.Reason})
	}
	rendered := map[string]cluster.Member{} // whom the files are about
	for _, out := range outputs {
		if err := c.renderOne(r, rendered, out, v, members); err != nil {
			return nil, err
		}
	}
	r.about(rendered)
	slices.SortFunc(r.unit.Files, func(a, b reconcile.File) int { return compare(a.Path, b.Path) })
	return r, c.commands(&r.unit)
}
