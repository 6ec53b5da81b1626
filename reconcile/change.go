package reconcile

import (
	"slices"
	"time"
)

// A Change is what a pass changed, or tried to change, in the files of a rule.
type Change struct {
	Rule string `json:"rule"`
	// At is when the pass began; zero: nothing has changed since the start.
	At time.Time `json:"at,omitzero"`
	// Files are the first 100 that changed; More is how many more there were.
	Files []FileChange `json:"files"`
	More  int          `json:"more,omitempty"`
	// Gained and Lost are the first 100 of the members that came and went with
	// the change.
	Gained     []string `json:"gained,omitempty"`
	GainedMore int      `json:"gained_more,omitempty"` // how many more came
	Lost       []string `json:"lost,omitempty"`
	LostMore   int      `json:"lost_more,omitempty"` // how many more went
	// RolledBack says that the change was tried and is not in force: the old
	// files are in place, or are put back as soon as that works. Status has what
	// the check or the reload printed.
	RolledBack bool `json:"rolled_back,omitempty"`
	// Why says in a line what failed, without what a command printed. Without
	// RolledBack the files are in place and a reload is owed.
	Why string `json:"why,omitempty"`
}

// A FileChange is one file's part in a Change.
type FileChange struct {
	Path   string `json:"path"`
	Action string `json:"action"` // ActionCreate, ActionUpdate or ActionRemove
	// Diff is a unified diff of the whole file, also where only a block of it is
	// ours; empty for a sensitive file, or where only owner or mode changed. All
	// diffs of a change have 16 KiB together.
	Diff string `json:"diff,omitempty"`
	// Cut says that the diff ends early, after a whole line, or is missing.
	Cut bool `json:"cut,omitempty"`
	// Added and Removed count lines, of the whole change. Where that is so large
	// that only its beginning was compared, a line that moved counts as neither.
	Added   int `json:"added,omitempty"`
	Removed int `json:"removed,omitempty"`
	// Sensitive: that it changed is all that is kept.
	Sensitive bool `json:"sensitive,omitempty"`
	// Drift says that somebody else had changed the file.
	Drift bool `json:"drift,omitempty"`
}

// The bounds of a Change. To tell of one line in 10,000, half a megabyte, takes
// 0.6 ms of a server's processor and 1 MB for a moment, of all of them 5 ms and
// 4 MB (BenchmarkTell), several times as long on a Pi; after the reload, so that
// the service does not wait for it. Before it the old file is read, and kept
// until then.
const (
	mostDiff     = 16 << 10 // bytes of diffs
	mostWindow   = 64 << 10 // bytes of either text that are compared line by line
	mostCompared = 8 << 20  // bytes of old and new files
	mostListed   = 100      // files, or members that came or went
)

// A tried is one file as a pass found it, and as it is to be.
type tried struct {
	FileChange
	old, new []byte
	unknown  bool // the bytes were not kept
}

// tries lists what p is about to change. It is called before anything is: what
// is on disk now cannot be read any more when the change is told.
func (p *pass) tries() (list []tried) {
	left := mostCompared
	add := func(path string, sensitive, drift bool, seen sighting, remove bool, new []byte) {
		t := tried{FileChange: FileChange{Path: path, Action: ActionUpdate, Drift: drift}, new: new}
		switch {
		case remove:
			t.Action = ActionRemove
		case !seen.exists:
			t.Action = ActionCreate
		}
		if t.Sensitive = sensitive; t.Sensitive {
			t.new = nil
		} else if left -= len(new) + int(min(seen.id.size, mostCompared)); left < 0 || len(list) >= mostListed {
			t.new, t.unknown = nil, true
		} else {
			t.old, t.unknown = seen.text()
		}
		list = append(list, t)
	}
	for _, w := range p.wants {
		if w.dirty {
			add(w.file.Path, p.hides(w), w.drift, w.seen, false, w.bytes)
		}
	}
	for _, o := range p.orphans {
		switch {
		case !o.remove:
		case o.block != "": // the rest of the file stays
			add(o.path, o.sensitive, false, o.seen, false, o.seen.rest.without())
		default:
			add(o.path, o.sensitive, false, o.seen, true, nil)
		}
	}
	return list
}

// text is what stands in the file that was seen.
func (seen sighting) text() (text []byte, unknown bool) {
	switch {
	case !seen.exists:
		return nil, false
	case seen.rest != nil:
		return seen.rest.with(), false
	}
	text, err := readWhole(seen.real, seen.id)
	return text, err != nil
}

// change tells what p changed, or tried to; nil: nothing.
func (p *pass) change() *Change {
	if len(p.tried) == 0 {
		return nil
	}
	c := &Change{Rule: p.unit.Rule, At: p.now, Files: []FileChange{}, RolledBack: len(p.out.Changed) == 0}
	if !p.unit.Static {
		c.Gained, c.GainedMore = firstOf(p.out.Gained)
		c.Lost, c.LostMore = firstOf(p.out.Lost)
	}
	if p.err != nil {
		c.Why = Brief(p.err)
	}
	left := mostDiff
	for i := range p.tried {
		if i == mostListed {
			c.More = len(p.tried) - mostListed
			break
		}
		t := &p.tried[i]
		t.compare(left)
		left -= len(t.Diff)
		c.Files = append(c.Files, t.FileChange)
	}
	p.tried = nil
	return c
}

// firstOf returns the first of names, and how many more there are.
func firstOf(names []string) (first []string, more int) {
	n := min(len(names), mostListed)
	return slices.Clone(names[:n]), len(names) - n
}

// LastChange tells what the last pass that changed a file of the rule changed,
// or tried to. It is kept in memory: before the first since Open it has no At.
func (r *Reconciler) LastChange(rule string) Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.rules[rule]; st != nil && st.change != nil {
		return *st.change
	}
	return Change{Rule: rule, Files: []FileChange{}}
}
