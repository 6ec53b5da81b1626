package launch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/cluster"
	"muster/metadata"
	"muster/nodes"
)

// An Order is what is to be done, and on how many nodes.
type Order struct {
	Service string
	Remove  bool // take it off nodes, instead of putting it on some
	// Count is on how many; 0, with Remove, on all that have it.
	Count int
}

// verb is what an Order does.
func (o Order) verb() string {
	if o.Remove {
		return "remove"
	}
	return "launch"
}

// A Choice is whom an Order is for. Its three parts have no node in common.
type Choice struct {
	Order
	// Picked are the nodes that the service goes to, the least busy first, or
	// that it is taken off, the busiest first.
	Picked []nodes.Node
	// Spare are those that could have been picked, in the same order.
	Spare []nodes.Node
	// Others are the nodes that cannot be, by name; with Order.Remove only
	// those that have the service.
	Others []Other
}

// An Other is a node that cannot be picked.
type Other struct {
	Node string `json:"node"`
	Why  string `json:"why"`
}

// stale is after how many rounds of questions a node's answer no longer
// counts: one may be lost.
const stale = 3

// Choose picks the nodes for an order. It is pure; nodes of one rate are
// picked by name.
//
// A service goes to living nodes that do not have it, do not drain, have told
// their load of late, have room for its name, and can be told to Ansible. It
// is taken off whoever lives and has it. There it is no hindrance that a node
// drains or has not told its load; those of unknown load come last.
func Choose(o Order, r nodes.Report) Choice {
	c := Choice{Order: o}
	no := unfit(r.Nodes)
	for _, n := range r.Nodes {
		runs := slices.Contains(metadata.Of(Member(n)), o.Service)
		why := no[n.Name]
		if why == "" {
			why = o.hindrance(n, runs, r.Every)
		}
		switch {
		case n.Status == cluster.Left || o.Remove && !runs: // nobody asks about it
		case why != "":
			c.Others = append(c.Others, Other{n.Name, why})
		default:
			c.Spare = append(c.Spare, n)
		}
	}
	slices.SortFunc(c.Others, func(a, b Other) int { return strings.Compare(a.Node, b.Node) })
	slices.SortFunc(c.Spare, func(a, b nodes.Node) int { return cmp.Or(o.compare(a, b), strings.Compare(a.Name, b.Name)) })
	n := min(o.Count, len(c.Spare))
	if o.Remove && o.Count == 0 {
		n = len(c.Spare)
	}
	c.Picked, c.Spare = c.Spare[:n:n], c.Spare[n:]
	return c
}

// compare orders nodes for which there is nothing against it.
func (o Order) compare(a, b nodes.Node) int {
	switch {
	case a.Rate == nil || b.Rate == nil:
		return cmp.Compare(known(b.Rate), known(a.Rate))
	case o.Remove:
		return cmp.Compare(*b.Rate, *a.Rate)
	}
	return cmp.Compare(*a.Rate, *b.Rate)
}

func known(rate *float64) int {
	if rate == nil {
		return 0
	}
	return 1
}

// hindrance is why an order cannot be for a node; empty: it can.
func (o Order) hindrance(n nodes.Node, runs bool, every time.Duration) string {
	switch {
	case n.Status != cluster.Alive:
		return "is " + string(n.Status)
	case o.Remove:
		return ""
	case runs:
		return "runs it already"
	case Member(n).Draining():
		return "drains"
	case n.Problem != "":
		return n.Problem
	case n.Load == nil || n.Rate == nil:
		return "has not told its load: it did not answer, or no muster runs there"
	case every > 0 && n.Age > stale*every:
		return fmt.Sprintf("did not answer: its load is of %s ago", n.Age.Round(time.Second))
	}
	if err := metadata.Room(Member(n), o.Service); err != nil {
		return err.Error()
	}
	return ""
}

// unfit are the nodes that Ansible cannot be told of, with the reason.
func unfit(all []nodes.Node) map[string]string {
	why := map[string]string{}
	inv, refused := inventoryOf(members(all))
	for _, r := range refused {
		if _, listed := inv.Hosts[r.Member]; !listed {
			why[r.Member] = "cannot be a host for Ansible: " + r.Reason.Error()
		}
	}
	if slices.ContainsFunc(all, func(n nodes.Node) bool { return n.Name == group }) {
		why[group] = "cannot be a host for Ansible: the group of those picked has this name"
	}
	return why
}

// Member is a node as the cluster knows it.
func Member(n nodes.Node) cluster.Member {
	return cluster.Member{Name: n.Name, Addr: n.Addr, Port: n.Port, Status: n.Status, Tags: n.Tags}
}

func members(all []nodes.Node) []cluster.Member {
	out := make([]cluster.Member, 0, len(all))
	for _, n := range all {
		out = append(out, Member(n))
	}
	return out
}

// Names are the names of nodes.
func Names(all []nodes.Node) []string {
	out := make([]string, 0, len(all))
	for _, n := range all {
		out = append(out, n.Name)
	}
	return out
}

// Err reports that a choice has fewer nodes than were asked for, and why each
// of the others cannot be picked.
func (c Choice) Err() error {
	if n := len(c.Picked); n > 0 && n >= c.Count {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "cannot %s %s: ", c.verb(), c.Service)
	switch {
	case c.Remove && len(c.Picked) == 0:
		text.WriteString("no living node has it on its list")
	case c.Remove:
		fmt.Fprintf(&text, "asked for %d, only %d run it", c.Count, len(c.Picked))
	default:
		fmt.Fprintf(&text, "asked for %d, only %d available", c.Count, len(c.Picked))
	}
	for _, o := range c.Others {
		fmt.Fprintf(&text, "\n  %s: %s", o.Node, o.Why)
	}
	return errors.New(text.String())
}

// Silent reports whether a living node has not answered in the round that r is
// of, though it has before, or with all though it never has: asking once more
// may help.
func Silent(r nodes.Report, all bool) bool {
	return slices.ContainsFunc(r.Nodes, func(n nodes.Node) bool {
		if n.Status != cluster.Alive || n.Problem != "" {
			return false
		}
		return n.Load == nil && all || n.Load != nil && n.Age > r.Every*3/2
	})
}

// Again checks a choice against members as they are now, so that two who
// launch at once do not both take a node: whoever is later sees what the
// earlier one has registered.
func (c Choice) Again(now []cluster.Member) error {
	for _, n := range c.Picked {
		i := slices.IndexFunc(now, func(m cluster.Member) bool { return m.Name == n.Name })
		var why string
		switch {
		case i < 0:
			why = "is no member any more"
		case now[i].Addr != n.Addr:
			why = fmt.Sprintf("has another address, %s", now[i].Addr)
		case now[i].Status != cluster.Alive:
			why = "is " + string(now[i].Status)
		case !c.Remove && now[i].Draining():
			why = "drains"
		case slices.Contains(metadata.Of(now[i]), c.Service) == c.Remove:
			continue
		case c.Remove:
			why = "no longer has it on its list"
		default:
			why = "runs it already"
		}
		return fmt.Errorf("cannot %s %s: since it was picked, %s has changed: it %s; try again", c.verb(), c.Service, n.Name, why)
	}
	return nil
}
