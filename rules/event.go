package rules

import (
	"fmt"
	"strings"

	"muster/cluster"
)

// An EventFilter is one of Serf's event filters: a member event's name, user,
// user:NAME, query, query:NAME or *.
type EventFilter struct {
	Type string // one of the cluster.Event constants, or * for every event
	Name string // of the user event or query; empty: any
}

// eventTypes lists what an event filter may begin with, as Serf's pages do.
var eventTypes = []string{
	cluster.EventJoin, cluster.EventLeave, cluster.EventFailed, cluster.EventUpdate, cluster.EventReap,
	cluster.EventUser, cluster.EventQuery, "*",
}

// parseEventFilter reads one filter. On failure hint says what to do.
func parseEventFilter(s string) (f EventFilter, hint string, err error) {
	kind, name, named := strings.Cut(s, ":")
	switch kind {
	case cluster.EventUser, cluster.EventQuery:
		if named && name == "" {
			return f, fmt.Sprintf("Write `%s:NAME`, or `%s` for all of them.", kind, kind), fmt.Errorf("`%s` names nothing", s)
		}
		if kind == cluster.EventQuery && strings.HasPrefix(name, cluster.OwnQuery) {
			return f, fmt.Sprintf("Give the query another name; those that begin with `%s` the agents answer themselves.", cluster.OwnQuery), fmt.Errorf("`%s` is muster's own", printable(s))
		}
		return EventFilter{Type: kind, Name: name}, "", nil
	}
	for _, t := range eventTypes {
		if t == kind && !named {
			return EventFilter{Type: t}, "", nil
		}
		if t == kind {
			return f, fmt.Sprintf("Only `user` and `query` take a name. Write `%s`, and choose members in a `members` block.", t), fmt.Errorf("`%s` takes no name", t)
		}
	}
	if strings.Contains(s, ",") {
		return f, "Give each event its own element: " + quoteList(strings.Split(s, ",")) + ".", fmt.Errorf("no event `%s`", printable(s))
	}
	hint = "The events are member-join, member-leave, member-failed, member-update, member-reap, user, user:NAME, query, query:NAME and *."
	return f, hint, fmt.Errorf("no event `%s`%s", printable(s), didYouMean(s, eventTypes))
}

// Match reports whether e passes f. Nothing lets the reserved queries pass:
// whatever acts on them could answer them first.
func (f EventFilter) Match(e cluster.Event) bool {
	if e.Type == cluster.EventQuery && strings.HasPrefix(e.Name, cluster.OwnQuery) {
		return false
	}
	return f.Type == "*" || f.Type == e.Type && (f.Name == "" || f.Name == e.Name)
}

// String returns f as it is written in a rule.
func (f EventFilter) String() string {
	if f.Name == "" {
		return f.Type
	}
	return f.Type + ":" + f.Name
}

// aboutMembers reports whether f lets nothing but member events pass.
func (f EventFilter) aboutMembers() bool { return strings.HasPrefix(f.Type, "member-") }
