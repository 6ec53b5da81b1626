package reconcile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A transaction is the files of one unit that change together.
type transaction struct {
	id     string
	items  []*item
	made   []string // directories that were created for it
	places map[string]place
}

// An item is one file of a transaction.
type item struct {
	change
	bytes []byte // of the new file; nil for one that is removed
	seen  sighting
	dress dress

	staged, placed fileID // of the new file, when it was written and when it was put in place
}

func (tx *transaction) changes() []change {
	list := make([]change, len(tx.items))
	for i, it := range tx.items {
		list[i] = it.change
	}
	return list
}

// in opens the directory dir, or returns it if it is open.
func (tx *transaction) in(dir string) (place, error) {
	if p, ok := tx.places[dir]; ok {
		return p, nil
	}
	p, err := openPlace(dir)
	if err == nil {
		tx.places[dir] = p
	}
	return p, err
}

func (tx *transaction) close() {
	for _, p := range tx.places {
		p.Close()
	}
}

// swap puts the new file of it in the old one's place, and keeps the old one.
// If it fails or never returns, undo puts things right.
func (r *Reconciler) swap(p place, it *item) error {
	if it.Block != "" && it.seen.exists && !p.unchanged(it) {
		return fmt.Errorf("cannot replace %s: somebody else changed it just now: it is looked at again", it.Path)
	}
	if id, err := p.idOf(it.Stage); it.Stage != "" && (err != nil || !id.sameBytes(it.staged)) {
		return errors.Join(fmt.Errorf("cannot write %s: somebody changed the new file before it was put in place, maybe the check: a check must only read", it.Path), err)
	}
	var err error
	switch {
	case it.Op == opRemove:
		if err = r.step("remove", it.Name); err == nil {
			err = p.Rename(it.Name, it.Backup)
		}
	case !it.seen.exists:
		if err = r.step("put", it.Name); err == nil {
			err = p.renameNew(it.Stage, it.Name)
		}
	case it.Op == opInPlace:
		err = r.replaceInPlace(p, it)
	default:
		if err = r.keep(p, it.change); err == nil {
			err = r.step("swap", it.Name)
		}
		if err == nil {
			err = p.Rename(it.Stage, it.Name)
		}
	}
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("cannot replace %s: it is a mount point: mount its directory instead", it.Path)
	}
	if err != nil {
		return writeError(it.Path, err)
	}
	if it.Op == opSwap {
		it.placed, _ = p.idOf(it.Name) // only to spare reading it
	}
	return nil
}

// keep gives the file that c changes a second name, so that a rename brings it
// back with everything it had. Where that cannot be, it keeps a copy.
func (r *Reconciler) keep(p place, c change) error {
	if c.Op == opSwap {
		if err := r.step("keep", c.Name); err != nil {
			return err
		}
		err := p.Link(c.Name, c.Backup)
		if err == nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) {
			return err
		}
	}
	old, err := p.openRegular(c.Name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer old.Close()
	// A half-written copy must never be taken for the old file.
	half := r.hide(c.Name, "tmp")
	if err := r.write(p, half, old, old, dress{}); err != nil {
		return err
	}
	if err := r.step("keep copy", c.Name); err != nil {
		return err
	}
	return p.Rename(half, c.Backup)
}

// replaceInPlace overwrites a file that cannot be renamed over. A reader may
// see a part of it; there is no other way.
func (r *Reconciler) replaceInPlace(p place, it *item) error {
	if err := r.keep(p, it.change); err != nil {
		return err
	}
	if err := p.sync(); err != nil { // the copy must not be lost before the original
		return err
	}
	from, err := p.openRegular(it.Stage, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := r.overwrite(p, it.Name, from); err != nil {
		return err
	}
	if err := r.step("drop stage", it.Name); err != nil {
		return err
	}
	return p.Remove(it.Stage)
}

// overwrite gives the file name the bytes, owner and mode of from.
func (r *Reconciler) overwrite(p place, name string, from *os.File) error {
	to, err := p.openRegular(name, os.O_WRONLY)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := r.step("overwrite", name); err != nil {
		return err
	}
	// For as long as it holds something of both, it is only for who may read both.
	was, err := to.Stat()
	if err != nil {
		return err
	}
	is, err := from.Stat()
	if err != nil {
		return err
	}
	narrow := unixMode(was.Mode()&is.Mode()) & 0o777
	if err := (dress{mode: &narrow}).put(to, from); err != nil {
		return err
	}
	size, err := io.Copy(to, from)
	if err != nil {
		return err
	}
	if err := r.step("truncate", name); err != nil {
		return err
	}
	if err := to.Truncate(size); err != nil {
		return err
	}
	if err := (dress{}).put(to, from); err != nil {
		return err
	}
	return to.Sync()
}
