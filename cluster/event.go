package cluster

import (
	"errors"
	"time"
)

// The types of events, as Serf's event filters name them.
const (
	EventJoin   = "member-join"
	EventLeave  = "member-leave"
	EventFailed = "member-failed"
	EventUpdate = "member-update"
	EventReap   = "member-reap"
	EventUser   = "user"
	EventQuery  = "query"
)

// MaxEventName is how many bytes the name of a user event or query may have.
const MaxEventName = 128

// OwnQuery begins the names of the queries that agents answer themselves, as
// they do Serf's own with _serf_.
const OwnQuery = "muster:"

// ErrNoAnswer says that an event cannot be answered: it is no query, or it
// came over a way that leads nowhere back.
var ErrNoAnswer = errors.New("cannot answer: it is no query that can be answered from here")

// An Event is something this node heard. It says that there is reason to look
// again; what is true stands in the View.
type Event struct {
	Type     string    // one of the Event constants
	Name     string    // of a user event or query
	Payload  []byte    // of a user event or query; read-only
	LTime    uint64    // Lamport time of a user event or query
	Coalesce bool      // of a user event: only the latest of its name matters
	Members  []Member  // of a member event; read-only
	From     string    // of a query: the node that asks; empty where unknown
	Deadline time.Time // of a query: when answers stop counting; zero where unknown

	// Answer answers a query that can still be answered from here, once; nil
	// otherwise. All who are handed the event share the one answer. Use
	// Respond.
	Answer func(payload []byte) error `json:"-"`
}

// Respond answers a query. It fails with ErrNoAnswer if e is none or nobody
// can answer it, and with a reason if it was answered before, if payload is
// too long, or if it is too late.
func (e Event) Respond(payload []byte) error {
	if e.Answer == nil {
		return ErrNoAnswer
	}
	return e.Answer(payload)
}
