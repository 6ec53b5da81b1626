package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// recover ends every transaction that the last process left open, and sweeps
// the directories it worked in.
func (r *Reconciler) recover() {
	for _, id := range slices.Sorted(maps.Keys(r.journal.state.open)) {
		rec := r.journal.state.open[id]
		if err := r.end(rec); err != nil {
			r.log.Error("a change that was interrupted cannot be undone yet", "rule", rec.Rule, "error", err)
			r.stuck[id] = rec
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(r.journal.state.dirs)) {
		r.sweep(dir)
	}
}

// end undoes one interrupted transaction, or finds that it had succeeded.
// Either way nobody knows what the service has loaded.
func (r *Reconciler) end(rec record) error {
	done, err := r.committed(rec.Changes)
	if err != nil {
		return err
	}
	kind, what := recUndone, "an interrupted change was undone"
	if done {
		kind, what = recKept, "an interrupted change was complete"
		err = r.clear(rec.Changes)
	} else {
		err = r.undo(rec.Changes, rec.Made)
	}
	if err != nil {
		return err
	}
	for _, c := range rec.Changes {
		r.log.Info(what, "rule", rec.Rule, "file", c.Path)
	}
	r.note(record{Kind: kind, Rule: rec.Rule, ID: rec.ID, Owed: true})
	return nil
}

// clear removes what a complete transaction kept.
func (r *Reconciler) clear(changes []change) error {
	for _, c := range changes {
		for _, name := range []string{c.Stage, c.Backup} {
			if name == "" {
				continue
			}
			err := os.Remove(filepath.Join(c.Dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot remove %s: %w", name, cause(err))
			}
		}
	}
	return nil
}

// sweepOnce sweeps the directory of a unit's file when this process first sees
// it, for the case that the journal was lost.
func (r *Reconciler) sweepOnce(dir string) {
	r.mu.Lock()
	done := r.seen[dir]
	r.seen[dir] = true
	r.mu.Unlock()
	if done {
		return
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		r.sweep(real)
	}
}

// sweep removes the hidden files in dir that earlier processes with this state
// directory left, but for those that an open transaction needs.
func (r *Reconciler) sweep(dir string) {
	r.mu.Lock()
	needed := map[string]bool{}
	for _, rec := range r.stuck {
		for _, c := range rec.Changes {
			needed[filepath.Join(c.Dir, c.Backup)] = true
		}
	}
	r.mu.Unlock()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whoever writes there is told
	}
	for _, entry := range entries {
		match := hidden.FindStringSubmatch(entry.Name())
		path := filepath.Join(dir, entry.Name())
		if match == nil || match[1] != r.owner || match[2] == r.run || !entry.Type().IsRegular() || needed[path] {
			continue
		}
		if err := os.Remove(path); err != nil {
			r.log.Warn("a temporary file of an earlier process cannot be removed", "file", path, "error", cause(err))
			continue
		}
		r.log.Info("a temporary file of an earlier process was removed", "file", path)
	}
}

// unstick tries once more to undo what could not be undone. Nothing with the
// same rule or the same reload is loaded before it could.
func (r *Reconciler) unstick(passes []*pass) {
	r.mu.Lock()
	waiting := maps.Clone(r.stuck)
	r.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(waiting)) {
		rec := waiting[id]
		concerned := slices.DeleteFunc(slices.Clone(passes), func(p *pass) bool {
			return p.unit.Rule != rec.Rule && (rec.Reload == "" || p.unit.Reload == nil || keyOf(*p.unit.Reload) != rec.Reload)
		})
		if len(concerned) == 0 {
			continue
		}
		if err := r.end(rec); err != nil {
			for _, p := range concerned {
				p.fail(fmt.Errorf("a failed change of rule %s is still in place: %w", rec.Rule, err))
			}
			continue
		}
		r.mu.Lock()
		delete(r.stuck, id)
		r.mu.Unlock()
	}
}
