package rules

import (
	"io/fs"
	"time"
)

// Render is what a rule that renders says beside whom it is about.
type Render struct {
	Templates []*Template
	Check     *Check   // nil: nothing to check
	Reload    *Command // nil: nothing to reload
	Verify    *Verify  // nil: a reload's own word is enough
	// Runtime is the socket of a haproxy that is told of changes without a
	// reload, as haproxy spells its address; empty: none. Drain is how long a
	// server that goes may finish what it is at.
	Runtime  string
	Drain    time.Duration
	Wait     Wait
	Every    time.Duration // least time between two reloads
	Guard    Guard
	OnOrphan string // OrphanReport or OrphanRemove
}

// What happens to a file that a rule stopped producing.
const (
	OrphanReport = "report"
	OrphanRemove = "remove"
)

// Wait is how long to let the membership settle: Min of quiet, at most Max.
type Wait struct{ Min, Max time.Duration }

// Guard keeps a rule from rendering what is too bad to be true.
type Guard struct {
	MinMembers int           // never render fewer
	MaxLoss    float64       // fraction of the last applied set, 0 to 1; 1: any loss will do
	Hold       time.Duration // how long a greater loss must last to be believed; 0: until it is overridden
	Grace      time.Duration // how long a failed member stays in
}

// The defaults of a rule that renders.
var (
	defaultWait  = Wait{Min: 100 * time.Millisecond, Max: 2 * time.Second}
	defaultGuard = Guard{MinMembers: 1, MaxLoss: 1, Hold: 60 * time.Second}
)

const defaultMaxOutput = 4 << 20

// A Template is one template block: a text, and where the result goes.
type Template struct {
	Source string // a built-in's name, or an absolute path, or empty for inline contents
	Text   string // read at Load; empty for a built-in
	File   string // where Text begins, or a built-in is named, for messages about it
	Line   int

	Format                string // empty: the destination tells
	LeftDelim, RightDelim string // empty: Go's own
	Perms                 *fs.FileMode
	User, Group           string // names or numbers; empty: as they are
	CreateDestDirs        bool
	Block                 string // the comment sign of a block in the file; empty: all of it
	Sensitive             bool
	MaxOutput             int64 // bytes

	quoted      bool // Text stands in quotes, or its built-in's name: all of it on Line
	at          place
	forEach     *expr // nil: one file
	destination *expr
	vars        *expr // nil: none
}

// LineOf returns where line n of t's text, counted from 1, stands in t.File.
func (t *Template) LineOf(n int) int {
	if t.quoted {
		return t.Line
	}
	return t.Line + n - 1
}

// Builtin reports whether t's text is a built-in's.
func (t *Template) Builtin() bool { return isBuiltin(t.Source) }
