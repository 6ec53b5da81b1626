package reconcile

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"slices"
	"time"
)

// A Status tells how one rule stands.
type Status struct {
	Rule  string    `json:"rule"`
	State State     `json:"state"`
	Since time.Time `json:"since,omitzero"`
	// Why explains any State but in-sync.
	Why string `json:"why,omitempty"`
	// Retry is when it is tried again though nothing changes.
	Retry   time.Time    `json:"retry,omitzero"`
	Files   []FileStatus `json:"files"`
	Members []string     `json:"members,omitempty"` // applied last
	// Gained and Lost are the members that the last change brought and took.
	Gained  []string  `json:"gained,omitempty"`
	Lost    []string  `json:"lost,omitempty"`
	Applied time.Time `json:"applied,omitzero"` // the last change or reload that succeeded
	Guard   Verdict   `json:"guard"`
	Check   *Ran      `json:"check,omitempty"`  // last
	Reload  *Ran      `json:"reload,omitempty"` // last
	Verify  *Ran      `json:"verify,omitempty"` // of the last reload
	Told    *Told     `json:"told,omitempty"`   // what the running service was told last
	Counts  Counts    `json:"counts"`
}

// A FileStatus tells how one file stands. Sums are the first 12 digits of a hex
// SHA-256, empty for a file that is not there.
type FileStatus struct {
	Path      string    `json:"path"`
	Link      string    `json:"link,omitempty"` // where the file itself is, if Path is a link to it
	State     State     `json:"state"`
	Since     time.Time `json:"since,omitzero"`
	Why       string    `json:"why,omitempty"`
	Desired   string    `json:"desired,omitempty"`
	Disk      string    `json:"disk,omitempty"`
	Loaded    string    `json:"loaded,omitempty"`
	Sensitive bool      `json:"sensitive,omitempty"`
	// Drifts counts how often somebody else changed the file since the start;
	// Drifted is when that was last seen.
	Drifts  int       `json:"drifts,omitempty"`
	Drifted time.Time `json:"drifted,omitzero"`
}

// A report is the part of a Status that the passes keep.
type report struct {
	state        State
	since        time.Time
	why          string
	retry        time.Time
	files        []FileStatus
	gained, lost []string
	verdict      Verdict
	check        *Ran
	reload       *Ran
	verify       *Ran
	told         *Told
	counts       Counts
}

// Status tells how every rule stands as of its last pass, sorted by name, and
// which files no rule produces any more.
func (r *Reconciler) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]*Status{}
	for name, st := range r.rules {
		rep := st.report
		s := &Status{Rule: name, State: rep.state, Since: rep.since, Why: rep.why, Retry: rep.retry,
			Files: slices.Clone(rep.files), Gained: rep.gained, Lost: rep.lost, Guard: rep.verdict,
			Check: rep.check, Reload: rep.reload, Verify: rep.verify, Told: rep.told, Counts: rep.counts}
		if s.State == "" {
			s.State = Pending
		}
		if rec := r.journal.state.rules[name]; rec != nil {
			s.Members = rec.members
			if rec.at > 0 {
				s.Applied = time.UnixMilli(rec.at)
			}
		}
		all[name] = s
	}
	for path, w := range r.journal.state.wrote {
		if _, wanted := r.claims[path]; wanted {
			continue
		}
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		s := all[w.rule]
		if s == nil {
			s = &Status{Rule: w.rule, State: Orphaned, Why: "this rule has not been looked at, or does not exist any more"}
			all[w.rule] = s
		}
		f := FileStatus{Path: path, State: Orphaned, Disk: short(w.sum), Why: "muster wrote it for this rule, which no longer produces it: remove it, or say on_orphan = \"remove\""}
		if st := r.rules[w.rule]; st != nil {
			f.Since = st.orphans[path]
		}
		s.Files = append(s.Files, f)
	}
	list := make([]Status, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		slices.SortFunc(s.Files, func(a, b FileStatus) int { return cmp.Compare(a.Path, b.Path) })
		list = append(list, *s)
	}
	return list
}

// finish ends a pass: what failed backs off, and the report says how the rule
// stands.
func (r *Reconciler) finish(p *pass) {
	tried := p.act || p.err != nil
	switch {
	case !tried: // inspect said it all
	case p.err == nil:
		p.out.Reloaded = p.reloaded
		if p.applying {
			p.out.State = InSync
		}
	default:
		p.out.State, p.out.Err = Failed, p.err
		if p.owed {
			p.out.State = Owed
		}
	}
	r.lookAgain(p, tried)
	if p.err != nil {
		p.st.back.fail(p.print(), p.now, r.now(), p.out.State, p.err)
		p.out.Retry = sooner(p.out.Retry, p.st.back.next)
	} else if tried || p.out.State == InSync {
		p.st.back = backoff{}
	}
	if p.out.State == InSync {
		r.catchUp(p)
	}
	p.changed = p.change()
	r.publish(p)
}

// lookAgain finds out what is on disk and loaded after a pass that did
// something. What succeeded need not be read again.
func (r *Reconciler) lookAgain(p *pass, tried bool) {
	if !tried {
		return
	}
	r.recall(p)
	for i := range p.wants {
		w := &p.wants[i]
		if w.file == nil || p.err == nil && !w.dirty {
			continue
		}
		if seen, err := r.look(w.file.Path, w.file.Block); err == nil {
			w.seen = seen
			w.dirty = !seen.exists || seen.sum != w.sum || !w.dress.worn(seen)
		}
	}
	for i := range p.orphans {
		p.orphans[i].seen, _ = r.look(p.orphans[i].path, p.orphans[i].block)
	}
}

// catchUp journals what changed without any file changing: other members, and
// paths that came from another rule or that nobody has any more.
func (r *Reconciler) catchUp(p *pass) {
	var recs []record
	if !p.unit.Static && !p.act {
		if gained, lost := p.memberDelta(); len(gained)+len(lost) > 0 {
			recs = append(recs, record{Kind: recMembers, Rule: p.unit.Rule, Gained: gained, Lost: lost})
		}
		p.st.ref.applied = p.unit.Members
	}
	r.mu.Lock()
	for _, w := range p.wants {
		if had, known := r.journal.state.wrote[w.file.Path]; known && had.rule != p.unit.Rule {
			recs = append(recs, record{Kind: recWrote, Path: w.file.Path, Rule: p.unit.Rule, Sum: had.sum, Block: had.block, Sensitive: had.sensitive})
		}
	}
	r.mu.Unlock()
	for _, o := range p.orphans {
		if !o.seen.exists && p.wrote[o.path] != "" {
			recs = append(recs, record{Kind: recReleased, Path: o.path})
		}
	}
	if len(recs) > 0 {
		r.note(recs...)
	}
}

// publish makes the report of a pass.
func (r *Reconciler) publish(p *pass) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := &p.st.report
	old := map[string]FileStatus{}
	for _, f := range rep.files {
		old[f.Path] = f
	}
	if rep.state != p.out.State {
		rep.state, rep.since = p.out.State, p.now
	}
	rep.why, rep.retry, rep.verdict = "", p.out.Retry, p.out.Verdict
	switch {
	case p.out.Err != nil:
		rep.why = p.out.Err.Error()
	case p.out.State == Held:
		rep.why = p.out.Verdict.Why
	case p.out.State == Drifted:
		rep.why = "somebody else keeps changing the files: they are put back less and less often"
	case p.out.State == Pending:
		rep.why = "the change waits: the last one is less than every = " + p.unit.Every.String() + " ago"
	}
	if len(p.out.Changed) > 0 {
		rep.gained, rep.lost = p.out.Gained, p.out.Lost
	}
	if p.ran.check != nil {
		rep.check = p.ran.check
	}
	if p.ran.reload != nil {
		rep.reload, rep.verify = p.ran.reload, p.ran.verify
	}
	if len(p.out.Told) > 0 {
		rep.told = &Told{At: p.now, Commands: p.out.Told}
	}
	rep.files = make([]FileStatus, 0, len(p.wants))
	for _, w := range p.wants {
		if w.file != nil {
			f := p.fileStatus(w, old[w.file.Path], rep.why)
			p.counts.Drifts += uint64(f.Drifts - old[w.file.Path].Drifts)
			rep.files = append(rep.files, f)
		}
	}
	if p.changed != nil {
		p.st.change = p.changed
	}
	p.counts.Changes += one(len(p.out.Changed) > 0)
	p.counts.Told += one(p.instead && len(p.out.Told) > 0)
	rep.counts.add(p.counts)
}

func (p *pass) fileStatus(w want, old FileStatus, why string) FileStatus {
	f := FileStatus{Path: w.file.Path, Desired: short(w.sum), Disk: short(w.seen.sum), Loaded: short(p.loaded[w.file.Path]),
		Sensitive: p.hides(w), Drifts: old.Drifts, Drifted: old.Drifted}
	if w.seen.real != w.file.Path {
		f.Link = w.seen.real
	}
	if slices.Contains(p.out.Drifted, w.file.Path) {
		// the same drift, seen again while it cannot be put back, counts once
		if old.State != Drifted || old.Disk != f.Disk {
			f.Drifts++
			f.Drifted = p.now
		}
	}
	isLoaded := p.loaded != nil && p.loaded[w.file.Path] == w.seen.sum
	switch {
	case w.unseen:
		f.State = p.out.State
	case !w.dirty && isLoaded:
		f.State = InSync
	case !w.dirty:
		f.State = Owed
	case w.drift:
		f.State, f.Why = Drifted, "somebody else changed it"
	default:
		f.State = p.out.State
	}
	if f.State != InSync && why != "" {
		if f.Why != "" {
			f.Why += ", and it is not put back: "
		}
		f.Why += why
	}
	f.Since = p.now
	if f.State == old.State {
		f.Since = old.Since
	}
	return f
}

func short(sum string) string { return sum[:min(len(sum), 12)] }
