package reconcile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
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
	file  *File // nil for one that is removed
	seen  sighting
	dress dress
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
	return nil
}

// renameNew renames a file to a name that nobody has yet, where the file
// system can promise that.
func (p place) renameNew(from, to string) error {
	d, err := p.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	fd := int(d.Fd())
	err = unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return p.Rename(from, to)
	}
	return err
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

// committed reports whether a transaction had succeeded though the journal does
// not say so: after a power cut its last line may be missing. Then an old file
// is gone already, which is only dropped in the end.
func (r *Reconciler) committed(changes []change) (bool, error) {
	for _, c := range changes {
		if c.Old == "" || c.Old == c.New || c.Op == opRemove {
			continue // such a file tells nothing: anybody may have removed it
		}
		_, err := os.Lstat(filepath.Join(c.Dir, c.Backup))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return false, fmt.Errorf("cannot look at %s: %w", c.Path, cause(err))
		}
		if sum, err := r.sumAt(c); err != nil {
			return false, err
		} else if sum == c.New {
			return true, nil
		}
	}
	return false, nil
}

// sumAt returns the sum of the file that c is about, "" if there is none.
func (r *Reconciler) sumAt(c change) (string, error) {
	path := filepath.Join(c.Dir, c.Name)
	var st unix.Stat_t
	switch err := lstat(path, &st); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", nil
	case err != nil:
		return "", err
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "not a file", nil // somebody else's
	}
	return r.sums.sum(path, idOf(&st))
}

// undo brings back the files as they were before changes, from whatever state
// they are in; it can be repeated. It tries all of them, and tells what failed.
func (r *Reconciler) undo(changes []change, made []string) error {
	var failed []error
	dirs := map[string]place{}
	defer func() {
		for _, p := range dirs {
			p.Close()
		}
	}()
	for _, c := range slices.Backward(changes) {
		p, ok := dirs[c.Dir]
		if !ok {
			root, err := os.OpenRoot(c.Dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // and the files with it
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("cannot put %s back: %w", c.Path, cause(err)))
				continue
			}
			p = place{root, c.Dir}
			dirs[c.Dir] = p
		}
		if err := r.undoOne(p, c); err != nil {
			failed = append(failed, fmt.Errorf("cannot put %s back: %w", c.Path, cause(err)))
		}
	}
	for dir, p := range dirs {
		if err := p.sync(); err != nil {
			failed = append(failed, fmt.Errorf("cannot sync %s: %w", dir, cause(err)))
		}
	}
	for _, dir := range slices.Backward(made) {
		_ = os.Remove(dir) // unless somebody else uses it meanwhile
	}
	return errors.Join(failed...)
}

func (r *Reconciler) undoOne(p place, c change) error {
	if err := r.step("undo", c.Name); err != nil {
		return err
	}
	if err := p.drop(c.Stage); err != nil {
		return err
	}
	if c.Old == "" { // there was none
		sum, err := r.sumAt(c)
		if err != nil || sum != c.New || sum == "" {
			return err // somebody else's now: theirs to keep
		}
		return p.drop(c.Name)
	}
	if _, err := p.Lstat(c.Backup); errors.Is(err, fs.ErrNotExist) {
		return nil // not changed yet, or back already
	} else if err != nil {
		return err
	}
	if c.Op == opInPlace {
		old, err := p.openRegular(c.Backup, os.O_RDONLY)
		if err != nil {
			return err
		}
		defer old.Close()
		if err := r.overwrite(p, c.Name, old); err != nil {
			return err
		}
	} else if err := p.Rename(c.Backup, c.Name); err != nil {
		return err
	}
	// where both names are the same file, the rename left both
	return p.drop(c.Backup)
}

// drop removes name if it is there.
func (p place) drop(name string) error {
	if name == "" {
		return nil
	}
	err := p.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// discard drops what a transaction staged or kept. What cannot be removed is
// swept by the next start.
func (tx *transaction) discard() {
	for _, it := range tx.items {
		if p, ok := tx.places[it.Dir]; ok {
			_ = p.drop(it.Stage)
			_ = p.drop(it.Backup)
		}
	}
}
