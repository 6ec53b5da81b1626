package fleet

import (
	"cmp"
	"fmt"
	"slices"

	"muster/cluster"
)

// A Laggard is why a node is not through with a member's going or coming back:
// one of its rules, or, without a rule, the node as a whole.
type Laggard struct {
	Node  string `json:"node"`
	Rule  string `json:"rule,omitempty"`
	State string `json:"state,omitempty"`
	Why   string `json:"why"`
}

// Laggards lists who has not loaded files without the member, where it drains,
// or with it, where it is back. unasked are the nodes that are not waited for,
// as nobody can say how they are: those that failed, and those that run no
// muster.
func (r Report) Laggards(member string, draining bool) (laggards []Laggard, unasked []Node) {
	if r.Problem != "" {
		laggards = append(laggards, Laggard{Node: r.Self, Why: r.Problem})
	}
	if !r.Settled {
		laggards = append(laggards, Laggard{Node: r.Self, Why: "it has not joined the others yet"})
	}
	for _, n := range r.Nodes {
		switch {
		case n.Status == cluster.Failed, n.Kind == Serf:
			unasked = append(unasked, n)
		case n.Status != cluster.Alive: // it is on its way out
		case n.Kind == Silent:
			laggards = append(laggards, Laggard{Node: n.Name, Why: "it did not answer"})
		default:
			laggards = append(laggards, n.lags(member, draining)...)
		}
	}
	return laggards, unasked
}

func (n Node) lags(member string, draining bool) []Laggard {
	if n.Problem != "" {
		return []Laggard{{Node: n.Name, Why: n.Problem}}
	}
	i := slices.IndexFunc(n.Members, func(m Member) bool { return m.Name == member })
	if i < 0 {
		return []Laggard{{Node: n.Name, Why: "it does not say how it stands to " + member}}
	}
	switch m := n.Members[i]; {
	case draining && m.Status == cluster.Alive && !m.Draining:
		return []Laggard{{Node: n.Name, Why: "it has not heard of it yet"}}
	case !draining && m.Draining:
		return []Laggard{{Node: n.Name, Why: "it has not heard of it yet"}}
	case !draining && m.Status != cluster.Alive:
		return []Laggard{{Node: n.Name, Why: fmt.Sprintf("to it %s is %s", member, cmp.Or(string(m.Status), "not known"))}}
	default:
		return m.lags(n.Name)
	}
}

func (m Member) lags(node string) []Laggard {
	var out []Laggard
	for _, r := range m.Lags {
		out = append(out, Laggard{Node: node, Rule: r.Rule, State: r.State, Why: cmp.Or(r.Why, "it does not say why")})
	}
	if more := m.Lagging - len(out); more > 0 {
		out = append(out, Laggard{Node: node, Why: fmt.Sprintf("%d of its rules lag", more)})
	}
	return out
}
