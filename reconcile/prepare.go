package reconcile

import (
	"fmt"
	"path/filepath"
)

// prepare plans p's transaction and stages its files.
func (r *Reconciler) prepare(p *pass) error {
	tx := &transaction{places: map[string]place{}}
	p.tx, p.checked, p.live = tx, false, false
	if !p.applying {
		return nil
	}
	p.tried = p.tries()
	for i := range p.wants {
		if w := &p.wants[i]; w.dirty {
			if err := r.plan(tx, w); err != nil {
				return err
			}
		}
	}
	for _, o := range p.orphans {
		if o.remove {
			if err := r.planRemoval(tx, o); err != nil {
				return err
			}
		}
	}
	for _, it := range tx.items {
		if it.Op == opRemove {
			continue
		}
		if err := r.stage(tx.places[it.Dir], it); err != nil {
			return err
		}
	}
	p.live = p.tellable() == nil
	return nil
}

// plan adds to tx what makes w's file as desired.
func (r *Reconciler) plan(tx *transaction, w *want) error {
	dir, name, made, err := locate(*w.file, w.seen)
	tx.made = append(tx.made, made...)
	if err != nil {
		return err
	}
	p, err := tx.in(dir)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", w.file.Path, err)
	}
	r.know(dir)
	if w.seen.exists {
		if err := p.trustFile(w); err != nil {
			return fmt.Errorf("cannot write %s: %w", w.file.Path, err)
		}
	}
	it := &item{bytes: w.bytes, seen: w.seen, dress: w.dress, change: change{
		Op: opSwap, Path: w.file.Path, Dir: dir, Name: name,
		Stage: r.hide(name, "new"), Backup: r.hide(name, "old"), Old: w.seen.whole(), New: w.sum, Sensitive: w.file.Sensitive,
	}}
	if w.file.Block != "" {
		it.New, it.Block, it.Part = sumOf(w.bytes), w.file.Block, w.sum
	}
	if w.seen.exists && p.isMount(name) {
		it.Op = opInPlace
	}
	tx.items = append(tx.items, it)
	return nil
}

// know journals that hidden files may come to be in dir.
func (r *Reconciler) know(dir string) {
	r.mu.Lock()
	known := r.journal.state.dirs[dir]
	r.mu.Unlock()
	if !known {
		r.note(record{Kind: recDir, Path: dir})
	}
}

func (r *Reconciler) planRemoval(tx *transaction, o orphan) error {
	dir, err := resolveDir(filepath.Dir(o.seen.real))
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", o.path, cause(err))
	}
	if _, err := tx.in(dir); err != nil {
		return fmt.Errorf("cannot remove %s: %w", o.path, err)
	}
	name := filepath.Base(o.seen.real)
	it := &item{seen: o.seen, change: change{
		Op: opRemove, Path: o.path, Dir: dir, Name: name, Backup: r.hide(name, "old"), Old: o.seen.whole(),
	}}
	if o.block != "" { // the rest of the file stays
		it.bytes = o.seen.rest.without()
		it.Op, it.Block, it.Stage, it.New = opSwap, o.block, r.hide(name, "new"), sumOf(it.bytes)
		if tx.places[dir].isMount(name) {
			it.Op = opInPlace
		}
	}
	tx.items = append(tx.items, it)
	return nil
}
