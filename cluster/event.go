package cluster

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

// An Event is something this node heard. It says that there is reason to look
// again; what is true stands in the View.
type Event struct {
	Type    string   // one of the Event constants
	Name    string   // of a user event or query
	Payload []byte   // of a user event or query; read-only
	LTime   uint64   // Lamport time of a user event or query
	Members []Member // of a member event; read-only

	Coalesce bool // of a user event: only the latest of its name matters
}
