package page

import (
	"context"
	"slices"
	"sync"
	"time"

	"muster/agent"
	"muster/fleet"
	"muster/nodes"
	"muster/publisher"
)

// fresh is for how long a snapshot is shown: all who look share it.
const fresh = 700 * time.Millisecond

// A snapshot is how everything is at one moment. Nothing changes it; what comes
// of it, and takes long where there are thousands, is made once for all who look.
type snapshot struct {
	at       time.Time
	status   agent.Status
	rules    []agent.RuleStatus // also those that act, by name
	nodes    nodes.Report
	fleet    map[string]*fleet.Node // by name; nil: not asked yet
	services []publisher.Found
	offered  map[string][]publisher.Found // by the node that offers them

	counted       once[health]
	nodeTexts     once[[]string] // what is searched of each node
	servicesTexts once[[]string] // and of each service
	byNeed        once[[]agent.RuleStatus]
	ruleTexts     once[[]string] // and of each of those
}

// A once is a value that is made when it is first asked for.
type once[T any] struct {
	sync.Once
	value T
}

func (o *once[T]) get(make func() T) T {
	o.Do(func() { o.value = make() })
	return o.value
}

// look returns how everything is, and has the nodes asked.
func (p *Page) look(ctx context.Context) (*snapshot, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p.wanted <- struct{}{}:
	default:
	}
	if p.latest != nil && time.Since(p.latest.at) < fresh {
		return p.latest, nil
	}
	s := &snapshot{at: time.Now(), nodes: p.c.Nodes.Look(ctx, 0), offered: map[string][]publisher.Found{}}
	var err error
	if s.status, err = p.c.Agent.Status(ctx); err != nil {
		return nil, err
	}
	if s.rules, err = p.c.Agent.Rules(ctx); err != nil {
		return nil, err
	}
	s.services, _ = publisher.Find(p.c.Agent.Members(), "", "") // what cannot be read is not there
	s.services = slices.Compact(s.services)                     // what is said twice is one
	for _, f := range s.services {
		s.offered[f.Node] = append(s.offered[f.Node], f)
	}
	p.mu.Lock()
	report := p.fleet
	p.mu.Unlock()
	if report != nil {
		s.fleet = make(map[string]*fleet.Node, len(report.Nodes))
		for i := range report.Nodes {
			s.fleet[report.Nodes[i].Name] = &report.Nodes[i]
		}
	}
	p.latest = s
	return s, nil
}

// node returns what is known of a node.
func (s *snapshot) node(name string) (nodes.Node, bool) {
	for _, n := range s.nodes.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return nodes.Node{}, false
}
