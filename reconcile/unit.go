package reconcile

import (
	"io/fs"
	"time"

	"muster/command"
)

// A File is one file as it shall be.
type File struct {
	// Path is absolute and clean. A symbolic link there stays; what it leads to
	// is replaced.
	Path string
	// Bytes are the whole content. Nobody changes them from now on.
	Bytes []byte
	// Mode, User and Group are what the rule says; where it says nothing (nil,
	// empty) an existing file keeps its own, and a new one is 0644 and this
	// process's. User and Group are names or numbers.
	Mode        *fs.FileMode
	User, Group string
	// MakeDirs creates missing directories, 0755.
	MakeDirs bool
	// Block says that only a block of the file is ours, and that Bytes are what
	// stands in it: it is the sign that begins a comment there, as "#". The
	// rest of the file is kept byte for byte.
	Block string
	// Sensitive content shows in no plan, error or status.
	Sensitive bool
}

// A Unit is what one rule wants: files that change together, checked and loaded
// together, or not at all. It is read-only once it was handed over.
type Unit struct {
	Rule  string
	Files []File
	// Members are the names of the members that were rendered, sorted. The
	// guard compares them with those of the last time.
	Members []string
	// LeftOut is how many more members there are, whose values the files could
	// not hold. The guard's reason tells of them.
	LeftOut int
	// Static says that nothing of the membership is in the files: they are
	// never held. Members is not looked at then.
	Static bool
	// Check tells whether the service will take the files; nil for no check.
	Check *Check
	// Reload makes the service load the files; nil if nothing needs to.
	Reload *command.Command
	// Verify tells whether a reload that succeeded did what it should; nil if
	// its word is enough. It counts only with a Reload.
	Verify *Verify
	// Live tells the running service of a change, where it can be told without
	// a reload; nil where it cannot.
	Live  *Live
	Guard Guard
	// Alone, Doubt and Failed are the view's: no other member is alive; this
	// node suspects itself; these members failed (and did not leave).
	Alone, Doubt bool
	Failed       map[string]bool
	// Drained are members that an operator took out: that they go is no loss.
	Drained map[string]bool
	// Every is the least time between two reloads; a change waits for it.
	Every time.Duration
	// OnOrphan is OrphanRemove, or anything else to report only.
	OnOrphan string
	// Again tries at once what failed, whatever the back-off says: somebody
	// asked for it.
	Again bool
	// Override applies at once, whatever guard, Every or back-off say: an
	// operator asked for it.
	Override bool
}

// OrphanRemove is the Unit.OnOrphan that removes files the rule stopped
// producing, as long as they are what muster wrote.
const OrphanRemove = "remove"

// A State says how a rule, or a file of it, stands.
type State string

// The states of rules and files.
const (
	// InSync: on disk is what is wanted, and it is loaded.
	InSync State = "in-sync"
	// Drifted: someone else changed the file and it could not be put back yet.
	Drifted State = "drifted"
	// Held: the guard keeps the last good files.
	Held State = "held"
	// Failed: the change could not be made; the old files are in place and
	// loaded. It is tried again later.
	Failed State = "failed"
	// Owed: the service has not loaded what is on disk. It is tried again later.
	Owed State = "owed"
	// Orphaned: muster wrote the file for a rule that no longer produces it.
	Orphaned State = "orphaned"
	// Pending: the change waits for the time that Every says, or was not looked
	// at yet.
	Pending State = "pending"
)

// An Outcome is what one pass did for one unit.
type Outcome struct {
	Rule  string
	State State
	// Changed are the paths that were written or removed, and are in force.
	Changed []string
	// Drifted are the paths that someone else had changed; those that are in
	// Changed too were put back.
	Drifted []string
	// Gained and Lost are the members that came and went by this pass, or, if
	// it did not apply, that would.
	Gained, Lost []string
	// Verdict is the guard's.
	Verdict Verdict
	// Reloaded says that the service has loaded the files in this pass.
	Reloaded bool
	// Told are the commands that a running service was given (Unit.Live).
	Told []string
	// Err says why the State is Failed or Owed.
	Err error
	// Retry is when to call Converge again though nothing changed; zero for
	// never.
	Retry time.Time
	// Took is how long the pass took for this unit's group.
	Took time.Duration
}
