package actions

import "time"

// What a Status is about.
const (
	KindRule    = "rule"
	KindHandler = "handler" // a line of event_handlers
	KindFile    = "file"    // of the handlers' directory
)

// Why an occasion was refused.
const (
	RefusedSignature = "signature" // none, or not a trusted one
	RefusedStale     = "stale"     // signed too long ago, or in the future
	RefusedReplay    = "replay"    // acted on before, or the envelope was used before
	RefusedQuorum    = "quorum"    // too few members are alive
	RefusedGossip    = "gossip"    // rules that act are refused altogether: see Set.Refuse
	RefusedLate      = "late"      // the query's time was over before its turn came
)

// A Status is how one rule, one line of event_handlers or one handler of the
// directory is doing. An occasion is what may make it act: a user event or a
// query, and for a rule each member of a member event. Always
//
//	Heard = Run + Queued + Dropped + Unwanted + the sum of Refused
type Status struct {
	Name string `json:"name"` // the rule's name, the handler's line, or the file's path
	Kind string `json:"kind"`

	Heard    uint64 `json:"heard"`    // occasions since the start of the agent
	Run      uint64 `json:"run"`      // of these, how many were begun
	Queued   uint64 `json:"queued"`   // wait in the queue, or for their `for` to pass
	Dropped  uint64 `json:"dropped"`  // did not fit into the queue
	Unwanted uint64 `json:"unwanted"` // the rule did not want them: not in force, `when`, `for`, another node's turn
	// Refused counts what the rule would have acted on, but must not, by reason.
	Refused map[string]uint64 `json:"refused,omitempty"`
	Failed  uint64            `json:"failed"` // of Run, how many did not succeed

	Running *Running `json:"running,omitempty"`
	Last    *Last    `json:"last,omitempty"`
	CutOff  []CutOff `json:"cut_off,omitempty"` // the latest 16
	Problem string   `json:"problem,omitempty"` // why it does not act as it should; one line
}

// A Running is an action that is under way.
type Running struct {
	Event string    `json:"event"` // as in "user:deploy (42)" or "member-failed db1"
	Since time.Time `json:"since"`
	Argv  []string  `json:"argv,omitempty"` // of the command that runs now; bounded
}

// A Last is the latest action that has ended.
type Last struct {
	Event   string        `json:"event"`
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took_ns"`
	OK      bool          `json:"ok"`
	Verdict string        `json:"verdict"` // one line, with the end of what a failed command printed
}

// A CutOff is an action that was begun and whose end is not known: the agent
// or the machine stopped in the middle of it.
type CutOff struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"` // when the event was accepted
}
