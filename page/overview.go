package page

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"muster/cluster"
	"muster/human"
	"muster/nodes"
	"muster/rules"
	"muster/timeline"
)

// mostEntries is how much of what has happened is shown.
const mostEntries = 60

// overview is the first page: how all nodes and all rules are, and what has
// happened.
func (p *Page) overview(_ context.Context, s *snapshot, r *http.Request) (document, error) {
	q := queryOf(r)
	h := s.health()
	d := document{title: h.title(), template: "overview", query: q, limit: s.nodes.Threshold, lists: []string{"rules", "nodes", "happened"}}
	d.parts = append(d.parts, part{"health", "", "health", h})
	d.parts = append(d.parts, s.firstRules()...)
	found, page := cut(s.find(q), q, "node", len(s.nodes.Nodes))
	d.parts = append(d.parts, page.parts("pager")...)
	for _, n := range found {
		d.parts = append(d.parts, part{"node:" + n.Name, "nodes", "node-row", s.row(*n)})
	}
	d.parts = append(d.parts, p.happened(func(timeline.Entry) bool { return true })...)
	return d, nil
}

// title is what a browser's tab says: first of all whether something is wrong.
func (h health) title() string {
	if h.Bad > 0 {
		return fmt.Sprintf("(%d) %s – muster", h.Bad, h.Node)
	}
	return h.Node + " – muster"
}

// A health is how everything is, in a few words.
type health struct {
	Node, Address, Version string
	Alone, Settled         bool
	Doubt                  int
	Draining               bool
	Nodes                  []tally
	Rules                  []tally
	Fleet                  []tally
	Unasked                string // why the nodes cannot be asked
	Problem                string // why the node is out of the cluster
	Refused                string // why rules do not act
	Mistakes               rules.Problems
	Bad                    int // of what needs somebody to look
}

// A tally is how many there are of a kind, and the query that finds them.
type tally struct {
	Count int
	State state
	Find  string
}

// health says how everything is.
func (s *snapshot) health() health {
	return s.counted.get(s.count)
}

func (s *snapshot) count() health {
	h := health{
		Node: visible(cmp.Or(s.status.Node.Name, s.nodes.Self)), Address: s.status.Node.Advertise, Version: s.status.Version,
		Alone: s.status.Alone, Settled: s.status.Settled, Doubt: s.status.Doubt, Draining: s.status.Draining,
		Unasked: s.nodes.Problem, Problem: s.status.Node.Problem, Refused: s.status.Acting.Refused, Mistakes: s.status.Problems,
	}
	if h.Settled && s.status.Node.Epoch > 0 {
		h.Problem = ""
	}
	h.Nodes, h.Fleet = s.tallyNodes()
	h.Rules = s.tallyRules()
	for _, list := range [][]tally{h.Nodes, h.Rules, h.Fleet} {
		for _, t := range list {
			if t.State.Class == "bad" {
				h.Bad += t.Count
			}
		}
	}
	h.Bad += len(h.Mistakes)
	return h
}

// tallies counts states, and lists them in the order in which each first came.
type tallies struct {
	order []string
	all   map[string]*tally
}

func (t *tallies) add(s state, find string) {
	if s.Word == "" {
		return
	}
	if t.all == nil {
		t.all = map[string]*tally{}
	}
	if t.all[find] == nil {
		t.all[find] = &tally{State: s, Find: find}
		t.order = append(t.order, find)
	}
	t.all[find].Count++
}

func (t *tallies) list(first ...string) []tally {
	slices.SortStableFunc(t.order, func(a, b string) int {
		return cmp.Compare(rank(first, t.all[a].State.Word), rank(first, t.all[b].State.Word))
	})
	out := make([]tally, 0, len(t.order))
	for _, find := range t.order {
		out = append(out, *t.all[find])
	}
	return out
}

// rank is where an item stands in a list; behind all if it does not.
func rank(list []string, item string) int {
	if i := slices.Index(list, item); i >= 0 {
		return i
	}
	return len(list)
}

func (s *snapshot) tallyNodes() (members, fleet []tally) {
	var m, f tallies
	for _, n := range s.nodes.Nodes {
		word := statusOfMember(n)
		m.add(word, is(word.Word))
		if n.Suspected && n.Status == cluster.Alive {
			m.add(state{"!", "suspected", "warn"}, is("suspected"))
		}
		if drains(n) {
			m.add(state{"▽", "draining", "warn"}, is("draining"))
		}
		if n.Status == cluster.Alive {
			stands := fleetState(s.fleet[n.Name])
			f.add(stands, is(stands.Word))
		}
	}
	return m.list("alive", "failed", "suspected", "draining", "leaving", "left"), f.list("in sync", "lagging", "no answer")
}

// is is the word of a search that finds who is so, and nobody who only speaks of
// it: `is:failed` is not found by the reason "web is failed".
func is(state string) string { return "is:" + strings.ReplaceAll(state, " ", "-") }

func (s *snapshot) tallyRules() []tally {
	var all tallies
	for _, r := range s.rules {
		word := ruleState(r.State, r.Busy)
		all.add(word, is(word.Word))
	}
	return all.list("in sync", "failed", "reload owed", "held")
}

// A nodeRow is a node in the list of nodes.
type nodeRow struct {
	Name, Addr string // Addr with its port
	Self       bool
	State      state
	Since      time.Time
	Phi        string
	Limit      float64 // the φ from which it is suspected
	Suspected  bool
	RTT        string
	Load       *loadRow // what it said last
	Now        *loadRow // the same, while it is alive
	Tags       []tag
	Services   []string // as in "web :80"
	Runs       string   // what it has been given to run
	Stands     state    // how its rules stand
	Lags       string   // and why
	Problem    string
}

// A loadRow is what a node said of itself.
type loadRow struct {
	Load1, Load5, Load15 string
	CPUs                 int
	PerCPU               float64 // load1 for each processor, to 0.01
	Used                 int     // per cent of the memory
	Memory, Rate         string
	Answered             time.Time
}

// row is what is shown of a node.
func (s *snapshot) row(n nodes.Node) nodeRow {
	row := nodeRow{
		Name: n.Name, Addr: netip.AddrPortFrom(n.Addr, n.Port).String(), Self: n.Name == s.nodes.Self, State: memberState(n), Since: n.Since,
		Limit: s.nodes.Threshold, Suspected: n.Suspected, Tags: tagsOf(n.Tags, "services", "runs", cluster.DrainTag), Runs: visible(human.Clip(n.Tags["runs"], 200)), Problem: visible(human.Clip(n.Problem, 200)),
	}
	if n.Phi != nil {
		// Below 1 it says nothing, and would change all the time.
		if row.Phi = "< 1"; *n.Phi >= 1 {
			row.Phi = fmt.Sprintf("%.0f", min(*n.Phi, 999))
		}
	}
	if n.RTT > 0 {
		row.RTT = fmt.Sprintf("%.1f ms", n.RTT.Seconds()*1000)
	}
	if l := n.Load; l != nil {
		average := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		row.Load = &loadRow{
			Load1: average(l.Load1), Load5: average(l.Load5), Load15: average(l.Load15), CPUs: l.CPUs,
			PerCPU: float64(int(l.Load1/float64(max(l.CPUs, 1))*100)) / 100,
			Used:   int(100 * l.UsedMemory()), Memory: human.Size(l.MemTotal, " "), Rate: average(*n.Rate), Answered: n.Answered,
		}
	}
	for _, f := range s.offered[n.Name] {
		row.Services = append(row.Services, visible(human.Clip(f.Type, 40)+" :"+human.Clip(f.Port, 10)))
	}
	if n.Status == cluster.Alive {
		row.Now = row.Load
		row.Stands, row.Lags = fleetState(s.fleet[n.Name]), fleetWhy(s.fleet[n.Name])
	}
	return row
}

// find returns the nodes that a query is about, in its order.
func (s *snapshot) find(q query) []*nodes.Node {
	words, found := q.words(), make([]*nodes.Node, 0, len(s.nodes.Nodes))
	texts := s.nodeTexts.get(func() (texts []string) {
		for _, n := range s.nodes.Nodes {
			texts = append(texts, searched(s.said(n)...))
		}
		return texts
	})
	for i := range s.nodes.Nodes {
		if matches(words, texts[i]) {
			found = append(found, &s.nodes.Nodes[i])
		}
	}
	if q.Sort == orders[0] { // they are by name already
		return found
	}
	slices.SortStableFunc(found, func(a, b *nodes.Node) int {
		switch q.Sort {
		case "state":
			return cmp.Compare(s.trouble(*a), s.trouble(*b))
		case "phi":
			return descending(a.Phi, b.Phi)
		case "load":
			return descending(rate(*a), rate(*b))
		}
		return descending(used(*a), used(*b))
	})
	return found
}

// said is all that is shown of a node.
func (s *snapshot) said(n nodes.Node) []string {
	said := []string{n.Name, netip.AddrPortFrom(n.Addr, n.Port).String(), memberState(n).Word, is(statusOfMember(n).Word)}
	if n.Suspected && n.Status == cluster.Alive {
		said = append(said, is("suspected"))
	}
	if drains(n) {
		said = append(said, is("draining"))
	}
	for key, value := range n.Tags {
		said = append(said, key+"="+value)
	}
	for _, f := range s.offered[n.Name] {
		said = append(said, f.Type, f.Description, ":"+f.Port)
	}
	if n.Status == cluster.Alive {
		stands := fleetState(s.fleet[n.Name]).Word
		said = append(said, stands, is(stands), fleetWhy(s.fleet[n.Name]))
	}
	return said
}

// trouble orders nodes by how much they need somebody to look.
func (s *snapshot) trouble(n nodes.Node) int {
	switch alive := n.Status == cluster.Alive; {
	case n.Status == cluster.Failed:
		return 0
	case n.Suspected:
		return 1
	case alive && fleetState(s.fleet[n.Name]).Class == "bad":
		return 2
	case n.Status == cluster.Leaving:
		return 3
	case drains(n):
		return 4
	case alive && fleetState(s.fleet[n.Name]).Class == "warn":
		return 5
	case alive:
		return 6
	}
	return 7
}

// rate is how busy a node is; nil: not known.
func rate(n nodes.Node) *float64 {
	if n.Status != cluster.Alive {
		return nil
	}
	return n.Rate
}

// used is the part of a node's memory that is used; nil: not known.
func used(n nodes.Node) *float64 {
	if n.Load == nil || n.Status != cluster.Alive {
		return nil
	}
	u := n.Load.UsedMemory()
	return &u
}

// descending compares so that more comes first, and what is not known last.
func descending(a, b *float64) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Compare(*b, *a)
}

// An entryRow is something that has happened; Text goes on where the names end.
type entryRow struct {
	At         time.Time
	Kind       string
	Rule, Node string
	Text       string
	Bad, Left  bool // as in timeline.Entry
}

// happened are the latest entries of the timeline that wanted holds for, the
// latest first, and what is said where there are none.
func (p *Page) happened(wanted func(timeline.Entry) bool) []part {
	var parts []part
	entries := p.c.Timeline.After(0, 1<<20)
	for _, e := range slices.Backward(entries) {
		if len(parts) == mostEntries {
			break
		}
		if wanted(e) {
			text := strings.TrimPrefix(e.Text, e.Node+" ") // the name stands before it
			row := entryRow{e.At, string(e.Kind), visible(e.Rule), visible(e.Node), visible(text), e.Bad, e.Left}
			parts = append(parts, part{fmt.Sprintf("event:%d", e.ID), "happened", "entry", row})
		}
	}
	return append(parts, part{"nothing", "", "nothing", len(parts) == 0})
}
