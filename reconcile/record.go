package reconcile

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The kinds of records.
const (
	recIntent   = "intent"   // a transaction is about to change files
	recLoaded   = "loaded"   // it has succeeded; or without ID: what was on disk is loaded now
	recKept     = "kept"     // its files stay, but whether they are loaded is not known
	recUndone   = "undone"   // its files are as they were before it
	recMembers  = "members"  // other members, same files
	recWrote    = "wrote"    // a path is a rule's: handed over, or from a compaction
	recReleased = "released" // a path is no longer anybody's
	recForgot   = "forgot"   // a rule does not exist any more
	recRule     = "rule"     // all of one rule, from a compaction
	recDir      = "dir"      // a directory where there may be hidden files
)

// longestHold is for how long the journal remembers since when a member is
// gone.
const longestHold = 24 * time.Hour

// A record is one line of the journal. Times are in milliseconds since 1970,
// sums are hex SHA-256 of a file's bytes, "" for a file that is not there.
type record struct {
	Kind string `json:"kind"`
	At   int64  `json:"at"`
	Rule string `json:"rule,omitempty"`

	ID      string   `json:"id,omitempty"`      // of a transaction
	Changes []change `json:"changes,omitempty"` // an intent's
	Made    []string `json:"made,omitempty"`    // directories that an intent created
	Reload  string   `json:"reload,omitempty"`  // what an intent's reload is known by

	Whole bool              `json:"whole,omitempty"` // Files is all, not what differs from before
	Files map[string]string `json:"files,omitempty"` // path to sum, as loaded
	Gone  []string          `json:"gone,omitempty"`  // paths that are no longer among them

	Gained []string         `json:"gained,omitempty"`
	Lost   map[string]int64 `json:"lost,omitempty"` // and since when they are missing

	Owed  bool   `json:"owed,omitempty"` // nothing is known to be loaded
	Path  string `json:"path,omitempty"`
	Sum   string `json:"sum,omitempty"`
	Block string `json:"block,omitempty"` // Sum is only that of a block, see change
	// Sensitive says that the content at Path shows nowhere.
	Sensitive bool `json:"sensitive,omitempty"`
}

// A change is what a transaction does to one file: everything that is needed
// to undo it, from the disk alone.
type change struct {
	Op     string `json:"op"`
	Path   string `json:"path"` // as the rule says
	Dir    string `json:"dir"`  // where the file itself is, links resolved
	Name   string `json:"name"`
	Stage  string `json:"stage,omitempty"`  // name of the new file until it is swapped in
	Backup string `json:"backup,omitempty"` // name of the old file from then on
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
	Block  string `json:"block,omitempty"` // only a block of the file is ours: the sign of its comments
	Part   string `json:"part,omitempty"`  // the sum of the new block; "" with Block: it is removed

	Sensitive bool `json:"sensitive,omitempty"`
}

// What a change does.
const (
	opSwap    = "swap"    // replace or create, by rename
	opInPlace = "inplace" // overwrite a file that cannot be renamed over
	opRemove  = "remove"
)

// A state is what the journal tells: replaying its records gives it.
type state struct {
	rules map[string]*ruleRecord
	wrote map[string]wrote  // by path
	open  map[string]record // intents without an end, by ID
	dirs  map[string]bool   // where files were staged
}

// A ruleRecord is what is known of one rule.
type ruleRecord struct {
	loaded  map[string]string // path to sum at the last successful reload; nil: not known
	members []string          // applied last, sorted
	missed  map[string]int64  // since when those are missing that went not long ago
	at      int64             // of the last success
}

// A wrote says for which rule muster wrote a path last, and what: the whole
// file, or a block in it whose comments have the given sign.
type wrote struct {
	rule, sum, block string
	sensitive        bool
}

func newState() state {
	return state{map[string]*ruleRecord{}, map[string]wrote{}, map[string]record{}, map[string]bool{}}
}

func (s *state) rule(name string) *ruleRecord {
	r := s.rules[name]
	if r == nil {
		r = &ruleRecord{}
		s.rules[name] = r
	}
	return r
}

// apply takes one more record into account.
func (s *state) apply(rec record) {
	switch rec.Kind {
	case recIntent:
		s.open[rec.ID] = rec
	case recLoaded:
		s.close(rec)
		s.rule(rec.Rule).load(rec)
	case recKept:
		s.close(rec)
		s.rule(rec.Rule).loaded = nil
	case recUndone:
		delete(s.open, rec.ID)
		if rec.Owed {
			s.rule(rec.Rule).loaded = nil
		}
	case recMembers:
		s.rule(rec.Rule).count(rec)
	case recWrote:
		s.wrote[rec.Path] = wrote{rec.Rule, rec.Sum, rec.Block, rec.Sensitive}
	case recReleased:
		delete(s.wrote, rec.Path)
	case recDir:
		s.dirs[rec.Path] = true
	case recForgot:
		delete(s.rules, rec.Rule)
	case recRule:
		r := &ruleRecord{at: rec.At, members: rec.Gained, missed: rec.Lost}
		if !rec.Owed {
			r.loaded = cloneFiles(rec.Files)
		}
		s.rules[rec.Rule] = r
	}
}

// close ends the transaction of rec: its files are the rule's now.
func (s *state) close(rec record) {
	for _, c := range s.open[rec.ID].Changes {
		switch {
		case c.Op == opRemove || c.Block != "" && c.Part == "":
			delete(s.wrote, c.Path)
		case c.Block != "":
			s.wrote[c.Path] = wrote{rec.Rule, c.Part, c.Block, c.Sensitive}
		default:
			s.wrote[c.Path] = wrote{rec.Rule, c.New, "", c.Sensitive}
		}
	}
	delete(s.open, rec.ID)
}

func (r *ruleRecord) load(rec record) {
	if rec.Whole || r.loaded == nil {
		r.loaded = cloneFiles(rec.Files)
	} else {
		maps.Copy(r.loaded, rec.Files)
	}
	for _, path := range rec.Gone {
		delete(r.loaded, path)
	}
	r.at = rec.At
	r.count(rec)
}

func cloneFiles(files map[string]string) map[string]string {
	clone := make(map[string]string, len(files))
	maps.Copy(clone, files)
	return clone
}

// count takes over the members that rec says came and went.
func (r *ruleRecord) count(rec record) {
	if len(rec.Gained) == 0 && len(rec.Lost) == 0 {
		return
	}
	gained := slices.Clone(rec.Gained)
	slices.Sort(gained)
	members := make([]string, 0, len(r.members)+len(gained))
	for _, name := range r.members {
		if _, lost := rec.Lost[name]; !lost {
			members = append(members, name)
		}
	}
	r.members = slices.Compact(merge(members, gained))
	missed := make(map[string]int64, len(rec.Lost))
	for name, since := range r.missed {
		if _, back := slices.BinarySearch(gained, name); !back && rec.At-since < longestHold.Milliseconds() {
			missed[name] = since
		}
	}
	for name, since := range rec.Lost {
		if rec.At-since < longestHold.Milliseconds() {
			missed[name] = since
		}
	}
	r.missed = missed
}

// merge merges two sorted lists.
func merge(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	merged := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// snapshot returns the records whose replay gives s, in a fixed order.
func (s *state) snapshot() []record {
	var recs []record
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		r := s.rules[name]
		recs = append(recs, record{Kind: recRule, Rule: name, At: r.at,
			Owed: r.loaded == nil, Files: r.loaded, Gained: r.members, Lost: r.missed})
	}
	for _, path := range slices.Sorted(maps.Keys(s.wrote)) {
		w := s.wrote[path]
		recs = append(recs, record{Kind: recWrote, Path: path, Rule: w.rule, Sum: w.sum, Block: w.block, Sensitive: w.sensitive})
	}
	for _, dir := range slices.Sorted(maps.Keys(s.dirs)) {
		recs = append(recs, record{Kind: recDir, Path: dir})
	}
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		recs = append(recs, s.open[id])
	}
	return recs
}

// valid says what is wrong with a record that was read. A journal may be
// damaged; nothing it says may lead to a file that muster did not make.
func (rec record) valid() error {
	for _, c := range rec.Changes {
		switch {
		case c.Op != opSwap && c.Op != opInPlace && c.Op != opRemove:
			return fmt.Errorf("unknown change %q", c.Op)
		case !cleanPath(c.Path) || !cleanPath(c.Dir):
			return fmt.Errorf("path %q or %q is not absolute and clean", c.Path, c.Dir)
		case c.Name == "" || strings.ContainsAny(c.Name, "/\x00") || c.Name == "." || c.Name == "..":
			return fmt.Errorf("%q is not a file's name", c.Name)
		case c.Stage != "" && !isHidden(c.Stage) || c.Backup != "" && !isHidden(c.Backup):
			return fmt.Errorf("%q or %q is not a name that muster gives", c.Stage, c.Backup)
		}
	}
	for _, dir := range rec.Made {
		if !cleanPath(dir) {
			return fmt.Errorf("directory %q is not absolute and clean", dir)
		}
	}
	switch rec.Kind {
	case recIntent:
		if rec.ID == "" || rec.Rule == "" {
			return fmt.Errorf("an intent without id or rule")
		}
	case recLoaded, recKept, recUndone, recMembers, recForgot, recRule:
		if rec.Rule == "" {
			return fmt.Errorf("%s without a rule", rec.Kind)
		}
		if rec.Kind == recRule && !slices.IsSorted(rec.Gained) {
			return fmt.Errorf("members out of order")
		}
	case recWrote, recReleased, recDir:
		if !cleanPath(rec.Path) {
			return fmt.Errorf("path %q is not absolute and clean", rec.Path)
		}
	default:
		return fmt.Errorf("unknown kind %q", rec.Kind)
	}
	return nil
}

func cleanPath(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }
