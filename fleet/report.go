package fleet

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"muster/agent"
	"muster/cluster"
	"muster/reconcile"
)

// A Kind says what answers on a node.
type Kind string

// The kinds of living nodes.
const (
	Muster Kind = "muster" // it says how its rules stand
	Serf   Kind = "serf"   // it has heard the question, and does not answer: an agent of Serf's own
	Silent Kind = "silent" // it has not even heard it
)

// A Report is how the fleet stands.
type Report struct {
	At      time.Time `json:"at"`
	Self    string    `json:"self"` // this node
	Alone   bool      `json:"alone"`
	Settled bool      `json:"settled"`
	Problem string    `json:"problem,omitempty"` // why nobody could be asked
	Nodes   []Node    `json:"nodes"`             // every known member but those that left, sorted by name
}

// A Node is how one node stands. What is in it but its name, address and status
// is its own word.
type Node struct {
	Name     string         `json:"name"`
	Addr     netip.Addr     `json:"addr"`
	Status   cluster.Status `json:"status"`
	Draining bool           `json:"draining,omitempty"`
	Kind     Kind           `json:"kind,omitempty"`    // empty for one that is not alive
	Problem  string         `json:"problem,omitempty"` // why its answer could not be read
	Version  string         `json:"version,omitempty"` // of muster
	// Counts are its rules by state, Rules those not in sync, and More how many
	// more of them there are.
	Counts   map[string]int `json:"counts,omitempty"`
	Rules    []Rule         `json:"rules,omitempty"`
	More     int            `json:"more,omitempty"`
	Mistakes bool           `json:"mistakes,omitempty"` // in its rules
	// Members is how it stands to the members asked about.
	Members []Member `json:"members,omitempty"`
}

// A Rule is one that is not in sync.
type Rule struct {
	Rule  string    `json:"rule"`
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why,omitempty"`
}

// A Member is how a node stands to one that was asked about.
type Member struct {
	Name     string         `json:"name"`
	Status   cluster.Status `json:"status,omitempty"`   // as seen there; empty: not known
	Draining bool           `json:"draining,omitempty"` // likewise
	// Lagging is how many of its rules have not loaded what they say of the
	// member now, and Lags are the first of them.
	Lagging int    `json:"lagging,omitempty"`
	Lags    []Rule `json:"lags,omitempty"`
	// In are rules whose loaded files are about it, and More how many more
	// there are.
	In   []string `json:"in,omitempty"`
	More int      `json:"more,omitempty"`
}

// Tally is how many of the node's rules are in sync, of how many in force.
func (n Node) Tally() (inSync, inForce int) {
	for state, count := range n.Counts {
		if state != string(agent.NotInForce) {
			inForce += count
		}
	}
	return n.Counts[string(reconcile.InSync)], inForce
}

// Converged reports whether the node says that all of its rules are in sync.
func (n Node) Converged() bool {
	if n.Kind != Muster || n.Problem != "" || n.Mistakes {
		return false
	}
	for state, count := range n.Counts {
		if count > 0 && state != string(reconcile.InSync) && state != string(agent.NotInForce) {
			return false
		}
	}
	return true
}

// take puts an answer into the node.
func (n *Node) take(text []byte) {
	a, err := decode(text)
	if n.Kind = Muster; err != nil {
		n.Problem = "cannot read its answer: " + err.Error()
		return
	}
	n.Problem, n.Version, n.Counts, n.More, n.Mistakes = "", a.Muster, a.Counts, a.More, a.Mistakes
	maps.DeleteFunc(n.Counts, func(state string, _ int) bool { return !slices.Contains(states, reconcile.State(state)) })
	n.Rules, n.Members = nil, nil
	for _, r := range a.Rules {
		n.Rules = append(n.Rules, r.rule())
	}
	for _, m := range a.Members {
		member := Member{Name: m.Name, Status: cluster.Status(m.Status), Draining: m.Draining, Lagging: m.Lagging, In: m.In, More: m.More}
		for _, r := range m.Lags {
			member.Lags = append(member.Lags, r.rule())
		}
		n.Members = append(n.Members, member)
	}
}
