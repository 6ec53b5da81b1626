package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/command"
	"muster/human"
)

// A ruleState is what is remembered of a rule besides the journal. busy is held
// during a pass, and guards what only passes use; the Reconciler's mu guards
// the report.
type ruleState struct {
	busy    sync.Mutex
	ref     reference
	desired map[string]desired   // by path
	orphans map[string]time.Time // since when a path is nobody's
	back    backoff
	acted   time.Time // when it was last swapped or reloaded
	fight   fight
	live    *told   // what the service was told; the Reconciler's mu guards it
	change  *Change // the last, likewise; nil: none since Open

	report report
}

// A desired is a file's bytes and their sum, which need not be computed again
// while the bytes stay the same.
type desired struct {
	bytes []byte
	sum   string
}

// A pass is one unit's way through one Converge.
type pass struct {
	unit *Unit
	st   *ruleState
	now  time.Time
	out  Outcome

	wants   []want
	orphans []orphan          // files the rule stopped producing
	loaded  map[string]string // as the journal has it; nil: not known
	wrote   map[string]string // path to sum, as muster wrote them last
	secret  map[string]bool   // the paths of those that were sensitive then

	act       bool // there is something to do
	applying  bool // … and it is to make the disk as desired, not only to load what is there
	check     command.Command
	checkKey  string // "" without a check
	checked   bool   // the check has passed before the files were put in place
	reloadKey string // "" without a reload
	live      bool   // the service can be told of the change
	instead   bool   // … and was, in place of a reload

	tx       *transaction
	err      error // why it failed
	reloaded bool  // the service has loaded the desired files
	unsure   bool  // a reload was tried: who knows what is loaded
	owed     bool  // and it could not be repaired
	ran      struct{ check, reload, verify *Ran }
	counts   Counts
	tried    []tried // what it changes; once it is over, nothing
	changed  *Change // what of that is told; nil: nothing
}

// A want is one desired file and what stands in its place.
type want struct {
	unseen bool // it could not be looked at
	file   *File
	bytes  []byte // of the whole file
	sum    string // of what is ours
	seen   sighting
	dress  dress
	dirty  bool // the disk differs
	drift  bool // … and it was somebody else
}

// An orphan is a file that muster wrote for the rule and that it no longer
// produces.
type orphan struct {
	path   string
	block  string // the comment sign of a block, where that is all that is ours
	seen   sighting
	remove bool

	sensitive bool
}

// hides reports whether what a file holds shows nowhere. What was written as
// sensitive stays so when the rule says otherwise, until something else is in
// its place.
func (p *pass) hides(w want) bool {
	return w.file.Sensitive || w.dirty && p.secret[w.file.Path]
}

// sensitive reports whether p hides a file.
func (p *pass) sensitive() bool {
	return slices.ContainsFunc(p.unit.Files, func(f File) bool { return f.Sensitive }) ||
		slices.ContainsFunc(p.wants, func(w want) bool { return w.file != nil && p.hides(w) })
}

// inspect compares p's unit with the disk and says what is to be done, in
// p.act, p.applying and p.out. It changes nothing but what is remembered.
func (r *Reconciler) inspect(p *pass) {
	r.recall(p)
	applied := p.st.ref.applied
	if !p.unit.Static {
		p.out.Gained, p.out.Lost = diffNames(applied, p.unit.Members)
		p.st.ref.look(p.unit.Members, p.out.Lost, p.unit.Drained, p.unit.Guard.Hold, p.now)
	}
	if err := r.compare(p); err != nil {
		p.err = err
		return
	}
	dirty := slices.ContainsFunc(p.wants, func(w want) bool { return w.dirty }) ||
		slices.ContainsFunc(p.orphans, func(o orphan) bool { return o.remove })
	owed := !p.isLoaded()
	if !dirty && !owed {
		p.out.State = InSync
		// Files that the rule stopped producing are a part of the loss, now or
		// when their time has come.
		if len(p.out.Lost) > 0 && slices.ContainsFunc(p.orphans, func(o orphan) bool { return o.seen.exists }) {
			p.guard()
		}
		return
	}
	if err := p.commands(); err != nil {
		p.err = err
		return
	}
	p.act, p.applying = true, true
	if p.unit.Override {
		return
	}
	if back := p.st.back; !p.unit.Again && back.blocks(p.print(), p.now) {
		p.act = false
		p.out.State, p.out.Err, p.out.Retry = back.state, back.err, back.next
		return
	}
	if dirty && p.guard() {
		// A debt from before is no part of what is held.
		p.act, p.applying = owed && p.isOurs(), false
	}
	if at := p.st.fight.until(p.now); p.act && !p.unit.Again && p.now.Before(at) && p.onlyDrift() {
		p.act = false
		p.out.State, p.out.Retry = Drifted, at
		return
	}
	if at := p.st.acted.Add(p.unit.Every); p.act && p.unit.Every > 0 && p.now.Before(at) && !p.st.acted.After(p.now) {
		p.act = false
		if !p.out.Verdict.Held {
			p.out.State = Pending
		}
		p.out.Retry = sooner(p.out.Retry, at)
	}
}

// guard asks the unit's guard about the members lost, and reports whether it
// holds the change.
func (p *pass) guard() (held bool) {
	if p.unit.Static || p.unit.Override {
		return false
	}
	p.out.Verdict = p.unit.Guard.judge(p.st.ref, question{
		p.unit.Members, p.unit.Alone, p.unit.Doubt, p.unit.Failed, p.unit.Drained, p.now})
	if p.out.Verdict.Held {
		p.out.State, p.out.Retry = Held, p.out.Verdict.Until
		if n := p.unit.LeftOut; n > 0 { // then the fault is not that they are gone
			p.out.Verdict.Why += fmt.Sprintf("; %s left out", human.Count(n, "member"))
		}
	}
	return p.out.Verdict.Held
}

// compare looks at every file of the unit, and at those it stopped producing.
func (r *Reconciler) compare(p *pass) error {
	p.wants = make([]want, len(p.unit.Files))
	var failed []error
	keep := make(map[string]desired, len(p.unit.Files))
	for i := range p.unit.Files {
		f := &p.unit.Files[i]
		w := &p.wants[i]
		w.file = f
		known, ok := p.st.desired[f.Path]
		if !ok || !bytes.Equal(known.bytes, f.Bytes) {
			known = desired{f.Bytes, sumOf(f.Bytes)}
		}
		keep[f.Path], w.sum, w.bytes = known, known.sum, f.Bytes
		if !cleanPath(f.Path) {
			failed = append(failed, fmt.Errorf("cannot write %q: a path must be absolute and clean", f.Path))
			continue
		}
		var err error
		if w.dress, err = r.ids.dress(*f); err == nil {
			w.seen, err = r.look(f.Path, f.Block)
		}
		if err == nil && f.Block != "" {
			err = w.fillBlock(p.unit.Rule)
		}
		if err != nil {
			w.unseen = true
			failed = append(failed, err)
			continue
		}
		w.dirty = !w.seen.exists || w.seen.sum != w.sum || !w.dress.worn(w.seen)
		last := p.loaded[f.Path]
		w.drift = w.dirty && last != "" && w.seen.sum != last
		if w.drift {
			p.out.Drifted = append(p.out.Drifted, f.Path)
		}
	}
	p.st.desired = keep
	for i := range p.orphans {
		o := &p.orphans[i]
		var err error
		if o.seen, err = r.look(o.path, o.block); err != nil {
			o.seen.exists = true // and not what muster wrote
		}
		ready := p.st.orphans[o.path].Add(r.cfg.OrphanAfter)
		if p.unit.OnOrphan != OrphanRemove || !o.seen.exists || o.seen.sum != p.wrote[o.path] {
			continue
		}
		if o.remove = !p.now.Before(ready); !o.remove {
			p.out.Retry = sooner(p.out.Retry, ready)
		}
	}
	return errors.Join(failed...)
}

// isLoaded reports whether the service has loaded what is on disk.
func (p *pass) isLoaded() bool {
	if p.loaded == nil {
		return len(p.wants) == 0
	}
	for _, w := range p.wants {
		if p.loaded[w.file.Path] != w.seen.sum {
			return false
		}
	}
	return true
}

// isOurs reports whether muster wrote all that is on disk, and anything is.
func (p *pass) isOurs() bool {
	any := false
	for _, w := range p.wants {
		if w.seen.sum == "" {
			continue
		}
		if w.seen.sum != p.wrote[w.file.Path] && w.seen.sum != p.loaded[w.file.Path] {
			return false
		}
		any = true
	}
	return any
}

// commands finds out what the unit's check and reload are.
func (p *pass) commands() error {
	if p.unit.Check != nil {
		var err error
		if p.check, p.checkKey, err = p.unit.Check.command(p.inPlace()); err != nil {
			return err
		}
	}
	if p.unit.Reload != nil {
		p.reloadKey = keyOf(*p.unit.Reload)
	}
	return nil
}

// keyOf is the same for two commands that do the same.
func keyOf(c command.Command) string {
	return sumOf(fmt.Appendf(nil, "%q %q %q %q %t", c.Argv, c.Env, c.Dir, c.User, c.Outside))
}

// print is a fingerprint of all that an attempt depends on: what is desired,
// what is on disk, and the commands with their time. So what was wrong in a rule
// and is corrected does not wait for what failed before.
func (p *pass) print() string {
	var s strings.Builder
	for _, w := range p.wants {
		fmt.Fprintf(&s, "%q %s %s %t %s %d:%d %o\n", w.file.Path, w.sum, w.dress, w.file.MakeDirs, w.seen.whole(), w.seen.uid, w.seen.gid, w.seen.mode)
	}
	for _, o := range p.orphans {
		fmt.Fprintf(&s, "%q - %s\n", o.path, o.seen.sum)
	}
	if p.unit.Check != nil {
		s.WriteString(string(p.unit.Check.Mode))
	}
	var reload time.Duration
	if p.unit.Reload != nil {
		reload = p.unit.Reload.Timeout
	}
	fmt.Fprintf(&s, "%s %v %s %v %s %v", p.checkKey, p.check.Timeout, p.reloadKey, reload, p.unit.Verify.key(), p.unit.Verify.timeout())
	return sumOf([]byte(s.String()))
}

// fail notes why p failed; the first reason counts.
func (p *pass) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
