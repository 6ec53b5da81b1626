package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// converge makes the changes of a group: units that share a check or a reload.
func (r *Reconciler) converge(ctx context.Context, group []*pass) {
	for _, p := range group {
		p.st.acted = p.now
	}
	r.load(ctx, r.install(ctx, group))
	// A debt from before does not wait for new files to become good.
	debtors := slices.DeleteFunc(slices.Clone(group), func(p *pass) bool { return !p.owesOld() })
	if len(debtors) > 0 && (ctx.Err() != nil || !r.settle(ctx, debtors)) {
		for _, p := range debtors {
			p.owed = true
		}
	}
}

// owesOld reports whether p failed, and left files of muster's in place that
// the service has not loaded.
func (p *pass) owesOld() bool {
	return p.err != nil && p.applying && !p.unsure && p.dirty() && !p.isLoaded() && p.isOurs()
}

func (p *pass) dirty() bool {
	return slices.ContainsFunc(p.wants, func(w want) bool { return w.dirty })
}

// install stages, swaps in and checks the files of passes, and returns those
// whose check passed. The others are back as they were. A check that passed
// before counts if exactly what it saw is in place then; one that is not the
// others' did not see what is new of theirs.
func (r *Reconciler) install(ctx context.Context, passes []*pass) (good []*pass) {
	passes = r.each(passes, r.prepare)
	passes = r.each(passes, func(p *pass) error { return r.checkStaged(ctx, p) })
	passes = r.checkOverlaid(ctx, passes)
	count := len(passes)
	if err := r.intend(passes); err != nil {
		passes = r.each(passes, func(*pass) error { return err })
	}
	passes = r.each(passes, r.swapIn)
	if err := r.syncPlaces(passes); err != nil {
		passes = r.each(passes, func(*pass) error { return err })
	}
	if len(passes) < count || len(byKey(passes, (*pass).sharedKey)) > 1 {
		for _, p := range passes {
			p.checked = p.checked && p.ownCheck()
		}
	}
	return r.checkSwapped(ctx, passes)
}

// sharedKey is that of a check that sees other units' files as well; "" for
// none.
func (p *pass) sharedKey() string {
	if p.ownCheck() {
		return ""
	}
	return p.checkKey
}

// checkSwapped checks the files of passes in their places, where that has not
// been done before, and returns the good ones. What has passed together with
// files that are gone again has to pass without them.
func (r *Reconciler) checkSwapped(ctx context.Context, passes []*pass) (good []*pass) {
	checks := 0
	inPlace := func(p *pass) string {
		if p.checked {
			return ""
		}
		return p.checkKey
	}
	for _, set := range byKey(passes, inPlace) {
		if inPlace(set[0]) != "" {
			checks++
			set = r.verify(ctx, set)
		}
		good = append(good, set...)
	}
	if checks > 1 && len(good) < len(passes) {
		return r.checkSwapped(ctx, good)
	}
	return good
}

// each does do for every pass, and returns those for which it did not fail. The
// others' files are put back.
func (r *Reconciler) each(passes []*pass, do func(*pass) error) []*pass {
	var good []*pass
	for _, p := range passes {
		if err := do(p); err != nil {
			p.fail(errors.Join(err, r.rollBack(p)))
			continue
		}
		good = append(good, p)
	}
	return good
}

// intend journals what is about to happen to the files of passes; that is on
// disk before anything happens.
func (r *Reconciler) intend(passes []*pass) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var recs []record
	for _, p := range passes {
		if len(p.tx.items) == 0 {
			continue
		}
		r.count++
		p.tx.id = fmt.Sprintf("%s-%06d", r.run, r.count)
		recs = append(recs, record{Kind: recIntent, At: p.now.UnixMilli(), Rule: p.unit.Rule, ID: p.tx.id,
			Changes: p.tx.changes(), Made: p.tx.made, Reload: p.reloadKey})
	}
	if len(recs) == 0 {
		return nil
	}
	if err := r.journal.append(true, recs...); err != nil {
		for _, p := range passes {
			p.tx.id = ""
		}
		return err
	}
	return nil
}

func (r *Reconciler) swapIn(p *pass) error {
	for _, it := range p.tx.items {
		if err := r.swap(p.tx.places[it.Dir], it); err != nil {
			return err
		}
	}
	return nil
}

// syncPlaces makes the new names durable, each directory once.
func (r *Reconciler) syncPlaces(passes []*pass) error {
	done := map[string]bool{}
	for _, p := range passes {
		for dir, place := range p.tx.places {
			if done[dir] {
				continue
			}
			done[dir] = true
			if err := r.step("sync directory", dir); err != nil {
				return err
			}
			if err := place.sync(); err != nil {
				return fmt.Errorf("cannot sync %s: %w", dir, cause(err))
			}
		}
	}
	return nil
}

// verify runs the check that all of set share, with their files in place. If it
// fails, all are put back; if it does not fail without any of them, each is
// tried alone, so that the good ones do not wait for the bad one.
func (r *Reconciler) verify(ctx context.Context, set []*pass) (good []*pass) {
	res := r.checkInPlace(ctx, set)
	if res.OK() {
		return set
	}
	err := set[0].checkError(set, res)
	search := len(set) > 1 && !res.TimedOut && res.Err == nil
	changed := false
	for _, p := range set {
		changed = changed || len(p.tx.items) > 0
		if undone := r.rollBack(p); undone != nil {
			p.fail(errors.Join(err, undone))
			search = false
		}
	}
	if search && changed && r.checkInPlace(ctx, set).OK() {
		for _, p := range set {
			good = append(good, r.install(ctx, []*pass{p})...)
		}
		return good
	}
	for _, p := range set {
		p.fail(err)
		p.owed = p.owed || !p.applying || !p.dirty()
	}
	return nil
}

// load reloads the service with what is on disk for passes, whose checks have
// passed. Where that fails the old files come back and are loaded.
func (r *Reconciler) load(ctx context.Context, passes []*pass) {
	for _, set := range byKey(passes, func(p *pass) string { return p.reloadKey }) {
		if set = r.tellInstead(ctx, set); len(set) == 0 {
			continue
		}
		if set[0].reloadKey == "" {
			r.commitAll(ctx, set)
			continue
		}
		res := r.runReload(ctx, set)
		switch {
		case res.err == nil:
			r.commitAll(ctx, set)
		case ctx.Err() != nil:
			// The files are good, only the service may not know them yet: the
			// next pass, maybe the next process's, sees to that.
			for _, p := range set {
				p.fail(res.err)
				r.leaveOwed(p)
			}
		default:
			r.unload(ctx, set, res.err, res.search)
		}
	}
}

// unload puts the old files of set back after a reload that failed, and loads
// them. If that works, and search is set, each unit is tried alone: one bad file
// is no reason to keep back the others.
func (r *Reconciler) unload(ctx context.Context, set []*pass, err error, search bool) {
	changed, stuck := false, false
	for _, p := range set {
		p.unsure = true
		changed = changed || len(p.tx.items) > 0
		if len(p.tx.items) == 0 {
			r.note(record{Kind: recUndone, Rule: p.unit.Rule, Owed: true})
		}
		if undone := r.rollBack(p); undone != nil {
			p.fail(errors.Join(err, undone))
			stuck = true
		}
	}
	repaired := changed && !stuck && ctx.Err() == nil && r.settle(ctx, set)
	if repaired && search && len(set) > 1 {
		for _, p := range set {
			p.unsure = false
			r.load(ctx, r.install(ctx, []*pass{p}))
		}
		return
	}
	for _, p := range set {
		p.fail(err)
		p.owed = !repaired
	}
}

// settle checks and loads what is on disk now for set, and reports whether that
// worked.
func (r *Reconciler) settle(ctx context.Context, set []*pass) bool {
	for _, same := range byKey(set, func(p *pass) string { return p.checkKey }) {
		if same[0].checkKey != "" && !r.checkInPlace(ctx, same).OK() {
			return false
		}
	}
	for _, same := range byKey(set, func(p *pass) string { return p.reloadKey }) {
		if same[0].reloadKey == "" {
			continue
		}
		if r.runReload(ctx, same).err != nil {
			return false
		}
		r.remind(ctx, same[0].reloadKey, nil)
	}
	for _, p := range set {
		files, err := r.onDisk(p)
		if err != nil {
			p.fail(err)
			return false
		}
		r.note(record{Kind: recLoaded, Rule: p.unit.Rule, Whole: true, Files: files})
	}
	return true
}

// onDisk returns the sums of the files that p's unit wants, as they are now.
func (r *Reconciler) onDisk(p *pass) (map[string]string, error) {
	files := make(map[string]string, len(p.wants))
	var failed []error
	for _, w := range p.wants {
		seen, err := r.look(w.file.Path, w.file.Block)
		if err != nil {
			failed = append(failed, err)
		} else if seen.sum != "" {
			files[w.file.Path] = seen.sum
		}
	}
	return files, errors.Join(failed...)
}
