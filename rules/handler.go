package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"muster/cluster"
)

// A Handler is one of Serf's event handlers: a line for a shell, which runs
// when one of its filters matches an event.
type Handler struct {
	On     []EventFilter
	Script string // for `sh -c`
	Line   string // as it was written
}

// Triggered reports whether one of h's filters matches e.
func (h Handler) Triggered(e cluster.Event) bool {
	return slices.ContainsFunc(h.On, func(f EventFilter) bool { return f.Match(e) })
}

// ParseHandler reads one line of Serf's event_handlers, as its page on event
// handlers (docs/agent/event-handlers) has it: SCRIPT for every event, or
// FILTER,FILTER…=SCRIPT. What stands before the first = are filters, so that a
// script with a = of its own needs some: *=SCRIPT.
func ParseHandler(line string) (Handler, error) {
	h, err := parseHandler(line)
	if err != nil {
		return Handler{}, fmt.Errorf("cannot read the event handler \"%s\": %w", printable(line), err)
	}
	return h, nil
}

func parseHandler(line string) (Handler, error) {
	filters, script, ok := strings.Cut(line, "=")
	if !ok {
		filters, script = "", line
	}
	h := Handler{Script: script, Line: line}
	if strings.TrimSpace(script) == "" {
		return h, errors.New("there is no script; write FILTER=SCRIPT")
	}
	if strings.ContainsRune(script, 0) {
		return h, errors.New("the script holds a NUL byte")
	}
	if filters == "" {
		filters = "*" // as Serf has it
	}
	for f := range strings.SplitSeq(filters, ",") {
		filter, err := handlerFilter(f)
		if err != nil {
			return h, err
		}
		h.On = append(h.On, filter)
	}
	return h, nil
}

// handlerFilter reads one filter of a handler. To Serf `user:` is as good as
// `user`, which a rule does not accept.
func handlerFilter(s string) (EventFilter, error) {
	f, hint, err := parseEventFilter(strings.TrimSuffix(s, ":"))
	switch {
	case err == nil && strings.HasSuffix(s, ":") && f.aboutMembers():
		_, hint, err = parseEventFilter(s)
	case err != nil && strings.ContainsAny(s, " /$"):
		hint = "What stands before the first = are filters. If it is a part of the script, write *=SCRIPT."
	}
	if err != nil {
		if strings.HasSuffix(err.Error(), "?") { // did you mean …?
			return f, fmt.Errorf("%w %s", err, hint)
		}
		return f, fmt.Errorf("%w. %s", err, hint)
	}
	return f, nil
}
