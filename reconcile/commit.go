package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"muster/command"
)

// rollBack puts the files of p back as they were before its transaction. If
// that fails, the rule is stuck until it works.
func (r *Reconciler) rollBack(p *pass) error {
	tx := p.tx
	defer tx.close()
	if tx.id == "" { // nothing was swapped yet
		tx.discard()
		if len(tx.made) > 0 {
			return r.undo(nil, tx.made)
		}
		return nil
	}
	p.counts.Rollbacks += one(len(tx.items) > 0)
	if err := r.undo(tx.changes(), tx.made); err != nil {
		r.mu.Lock()
		r.stuck[tx.id] = r.journal.state.open[tx.id]
		r.mu.Unlock()
		return err
	}
	r.note(record{Kind: recUndone, Rule: p.unit.Rule, ID: tx.id, Owed: p.unsure})
	return nil
}

// commit notes that p's files are in place and loaded, and drops the old ones.
func (r *Reconciler) commit(p *pass) {
	defer p.tx.close()
	rec := record{Kind: recLoaded, Rule: p.unit.Rule, ID: p.tx.id, Files: map[string]string{}}
	for _, w := range p.wants {
		sum := w.seen.sum
		if p.applying {
			sum = w.sum
		}
		if sum != "" && (p.loaded == nil || p.loaded[w.file.Path] != sum) {
			rec.Files[w.file.Path] = sum
		}
	}
	if p.loaded == nil {
		rec.Whole = true
	} else {
		for _, path := range slices.Sorted(maps.Keys(p.loaded)) {
			if !slices.ContainsFunc(p.unit.Files, func(f File) bool { return f.Path == path }) {
				rec.Gone = append(rec.Gone, path)
			}
		}
	}
	if p.applying && !p.unit.Static {
		rec.Gained, rec.Lost = p.memberDelta()
	}
	r.note(rec)
	for _, it := range p.tx.items {
		if r.step("drop backup", it.Name) == nil {
			_ = p.tx.places[it.Dir].drop(it.Backup) // else the next start sweeps it
		}
		p.out.Changed = append(p.out.Changed, it.Path)
	}
	if p.applying && p.onlyDrift() {
		p.st.fight.round(p.now)
	}
	p.reloaded = p.reloadKey != "" && !p.instead
	p.err, p.owed, p.unsure = nil, false, false
	r.adopt(p)
	placed := make(map[string]fileID, len(p.tx.items))
	for _, it := range p.tx.items {
		placed[it.Path] = it.placed
	}
	for i := range p.wants {
		if w := &p.wants[i]; p.applying && w.dirty {
			r.remember(w, placed[w.file.Path])
		}
	}
}

// remember keeps the sum of a file that was just written, which need not be
// read for that: unless somebody else wrote to it since it was put in place.
func (r *Reconciler) remember(w *want, placed fileID) {
	var st unix.Stat_t
	if w.file.Block == "" && lstat(w.seen.real, &st) == nil && idOf(&st) == placed {
		w.seen.note(&st)
		w.seen.sum, w.dirty = w.sum, false
		r.sums.put(w.seen.real, w.seen.id, time.Now(), w.sum)
	}
}

// adopt takes the members that were rendered for the applied ones.
func (r *Reconciler) adopt(p *pass) {
	if !p.applying || p.unit.Static {
		return
	}
	p.st.ref.applied = p.unit.Members
	if p.unit.Override {
		p.st.ref.missed = nil // believed, by an operator
	}
}

// memberDelta is what the pass changes in the applied members: who comes, and
// who goes and since when they are missing.
func (p *pass) memberDelta() (gained []string, lost map[string]int64) {
	for _, name := range p.out.Lost {
		if lost == nil {
			lost = make(map[string]int64, len(p.out.Lost))
		}
		lost[name] = 0 // believed, or drained, by an operator
		if since, missed := p.st.ref.missed[name]; missed && !p.unit.Override {
			lost[name] = since.UnixMilli()
		}
	}
	return p.out.Gained, lost
}

// leaveOwed ends p's transaction with its files in place, but not known to be
// loaded.
func (r *Reconciler) leaveOwed(p *pass) {
	defer p.tx.close()
	r.note(record{Kind: recKept, Rule: p.unit.Rule, ID: p.tx.id})
	for _, it := range p.tx.items {
		_ = p.tx.places[it.Dir].drop(it.Backup)
		p.out.Changed = append(p.out.Changed, it.Path)
	}
	p.owed = true
}

// A Ran tells how a check or a reload went.
type Ran struct {
	Argv     []string      `json:"argv"`
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"` // nanoseconds
	OK       bool          `json:"ok"`
	Verdict  string        `json:"verdict"` // "exit status 1", "timed out after 30s", …
	ExitCode int           `json:"exit_code"`
	// Mode is how a check saw the files: CheckStaged, CheckWrapper, CheckOverlay
	// or CheckSwap.
	Mode CheckMode `json:"mode,omitempty"`
	// Output is the command's, bounded; empty if Withheld.
	Output   string `json:"output,omitempty"`
	Withheld bool   `json:"withheld,omitempty"`
}

// stuckFor returns a rule whose files could not be put back, and that loads
// with the reload of the given key.
func (r *Reconciler) stuckFor(reloadKey string) (rule string, stuck bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.stuck {
		if rec.Reload == reloadKey {
			return rec.Rule, true
		}
	}
	return "", false
}

// secret reports whether a command's output may show a sensitive file.
func secret(set []*pass) bool { return slices.ContainsFunc(set, (*pass).sensitive) }

func newRan(argv []string, at time.Time, res command.Result, withheld bool) *Ran {
	ran := &Ran{Argv: argv, At: at, Took: res.Duration, OK: res.OK(), Verdict: res.Verdict(), ExitCode: res.ExitCode, Withheld: withheld}
	if !withheld {
		ran.Output = strings.ToValidUTF8(string(res.Output), "\ufffd")
	}
	return ran
}

func (p *pass) checkError(set []*pass, res command.Result) error {
	return commandError("check", p.check, secret(set), res)
}

func commandError(what string, c command.Command, withheld bool, res command.Result) error {
	argv := command.Line([]byte(command.Words(c.Argv)), 200)
	f := &commandFailure{brief: fmt.Sprintf("%s %s: %s", what, argv, res.Verdict()), cause: res.Err}
	switch output := command.Line(res.Output, 600); {
	case res.Err != nil:
	case withheld:
		f.output = " (its output is withheld: it may show a sensitive file)"
	case output != "":
		f.output = ": " + output
	}
	return f
}
