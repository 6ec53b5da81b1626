package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Handler acts on an event. It runs on the goroutine that dispatches: while
// it does, the events after it wait.
type Handler func(ctx context.Context, e Event)

// A Mux hands events to handlers by what they are. A pattern is
//
//	user:NAME, query:NAME   the user event or the query of that name
//	user, query             any of its kind
//	member-join, …          a member event of that type, one of Serf's five
//	*                       everything
//
// All handlers whose pattern matches are run, those by name first, then those
// by kind, then those for everything; of one sort, in the order in which they
// were registered. The zero Mux is ready to use, from any goroutine.
type Mux struct {
	mu       sync.RWMutex
	handlers map[string][]Handler // by pattern
}

// anything is the pattern that every event matches.
const anything = "*"

// kinds are the types of events; those with names are user and query.
var kinds = []string{EventJoin, EventLeave, EventFailed, EventUpdate, EventReap, EventUser, EventQuery}

// Handle registers h for a pattern. It panics if the pattern is none, which
// is a mistake in the program.
func (m *Mux) Handle(pattern string, h Handler) {
	if err := checkPattern(pattern); err != nil {
		panic(fmt.Sprintf("cannot handle %q: %v", pattern, err))
	}
	if h == nil {
		panic(fmt.Sprintf("cannot handle %q: there is no handler", pattern))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.handlers == nil {
		m.handlers = map[string][]Handler{}
	}
	m.handlers[pattern] = append(m.handlers[pattern], h)
}

// checkPattern reports a pattern that no event can match.
func checkPattern(pattern string) error {
	kind, name, named := strings.Cut(pattern, ":")
	switch {
	case pattern == anything:
	case !slices.Contains(kinds, kind):
		return fmt.Errorf("there is no such event; it is one of %s or *", strings.Join(kinds, ", "))
	case named && kind != EventUser && kind != EventQuery:
		return fmt.Errorf("%s has no name", kind)
	case named && name == "":
		return fmt.Errorf("the name is empty; write %s for any", kind)
	}
	return nil
}

// Dispatch runs all handlers that match e, one after the other.
func (m *Mux) Dispatch(ctx context.Context, e Event) {
	patterns := []string{e.Type, anything}
	if e.Type == EventUser || e.Type == EventQuery {
		patterns = []string{e.Type + ":" + e.Name, e.Type, anything}
	}
	m.mu.RLock()
	var matching []Handler
	for _, p := range patterns {
		matching = append(matching, m.handlers[p]...)
	}
	m.mu.RUnlock()
	for _, h := range matching {
		h(ctx, e)
	}
}

// Serve dispatches what the subscription hands out until ctx is done. What
// arrives while handlers take longer than there is room for is lost, and
// counted by the subscription.
func (m *Mux) Serve(ctx context.Context, sub *Subscription) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-sub.C:
			m.Dispatch(ctx, e)
		}
	}
}
