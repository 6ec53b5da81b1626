package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

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
			root, err := openRoot(c.Dir)
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
