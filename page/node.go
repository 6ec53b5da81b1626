package page

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"muster/agent"
	"muster/fleet"
	"muster/human"
	"muster/nodes"
	"muster/publisher"
	"muster/timeline"
)

// A nodePage is all that is known of a node.
type nodePage struct {
	nodeRow
	Version  string // of muster there
	Services []publisher.Found
	Rules    []appearance // of this node, and how they see it
	InSync   string       // how many of its own are, of how many; empty: it has not said
	Fleet    []fleet.Rule // its own, that are not in sync
	More     int
	Asked    bool // the fleet has been
}

// An appearance is how one of this agent's rules sees the node.
type appearance struct {
	Rule  string
	State state
	Why   []string
}

// node is the page of one node.
func (p *Page) node(ctx context.Context, s *snapshot, r *http.Request) (document, error) {
	name := r.PathValue("node")
	n, ok := s.node(name)
	if !ok {
		return document{}, fmt.Errorf("%w: no node called %s is known here", errAway, visible(human.Clip(name, 100)))
	}
	model := s.page(n)
	explained, err := p.c.Agent.ExplainMember(ctx, name)
	if err != nil {
		return document{}, err
	}
	for _, a := range explained.Rules {
		model.Rules = append(model.Rules, newAppearance(a))
	}
	return document{
		title: name + " – muster", template: "node", query: query{}, lists: []string{"happened"},
		parts: append([]part{{"node", "", "node-page", model}},
			p.happened(func(e timeline.Entry) bool { return e.Node == name })...),
	}, nil
}

// page is what a node says of itself, and Serf of it.
func (s *snapshot) page(n nodes.Node) nodePage {
	model := nodePage{nodeRow: s.row(n), Asked: s.fleet != nil, Services: slices.Clone(s.offered[n.Name])}
	for i := range model.Services {
		f := &model.Services[i]
		for _, text := range []*string{&f.Type, &f.Description, &f.Host, &f.IP, &f.Port, &f.Text} {
			*text = visible(human.Clip(*text, 200))
		}
	}
	if f := s.fleet[n.Name]; f != nil {
		model.Version, model.Fleet, model.More = visible(human.Clip(f.Version, 60)), slices.Clone(f.Rules), f.More
		if inSync, inForce := f.Tally(); inForce > 0 {
			model.InSync = fmt.Sprintf("%d of %s in sync", inSync, human.Count(inForce, "rule"))
		}
		for i := range model.Fleet {
			f := &model.Fleet[i]
			f.Rule, f.State, f.Why = visible(human.Clip(f.Rule, 100)), visible(human.Clip(f.State, 40)), visible(ends(f.Why, 300))
		}
	}
	return model
}

// newAppearance says how a rule sees a node, and what decides it.
func newAppearance(a agent.Appearance) appearance {
	out := appearance{Rule: a.Rule, State: state{"–", "left out", "idle"}}
	switch {
	case !a.InForce:
		out.State = state{"–", "not in force here", "idle"}
	case len(a.Refused) > 0:
		out.State = state{"✕", "refused", "bad"}
	case a.Grace:
		out.State = state{"…", "kept for a while", "warn"}
	case a.Selected:
		out.State = state{"✓", "rendered", "good"}
	}
	for _, c := range a.Clauses {
		if c.OK == a.Selected || a.Grace && !c.OK {
			out.Why = append(out.Why, visible(human.Clip(c.Text+": "+c.Got, 200)))
		}
	}
	for _, r := range a.Refused {
		out.Why = append(out.Why, visible(human.Clip(r.Reason+" ("+r.Place+")", 200)))
	}
	return out
}
