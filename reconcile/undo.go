package reconcile

import (
	"bytes"
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
		_ = removeDir(dir) // unless somebody else uses it meanwhile
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
	if c.Block != "" {
		if done, err := r.undoBlock(p, c); done || err != nil {
			return err
		}
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

// undoBlock puts only the block back, where somebody else wrote to the file
// since the change: the rest is theirs to keep. It reports whether that was so.
func (r *Reconciler) undoBlock(p place, c change) (done bool, err error) {
	sum, err := r.sumAt(c)
	if err != nil || sum == "" || sum == "not a file" || sum == c.New || sum == c.Old {
		return false, err
	}
	now, err := p.read(c.Name)
	if err != nil {
		return false, err
	}
	var old []byte
	if c.Old != "" {
		if old, err = p.read(c.Backup); errors.Is(err, fs.ErrNotExist) {
			return true, nil // not changed yet, or back already
		} else if err != nil {
			return false, err
		}
	}
	is, err := cut(now, c.Block)
	was, err2 := cut(old, c.Block)
	if err != nil || err2 != nil || len(now) > maxBlockFile { // the rule's next pass says so
		return true, p.drop(c.Backup)
	}
	text := is.without()
	if len(was.block) > 0 {
		text = is.replace(was.block)
	}
	if err := r.rewrite(p, c, text); err != nil {
		return false, err
	}
	return true, p.drop(c.Backup)
}

// read reads the file name in p, and no more of it than tells that it is too
// big to have a block.
func (p place) read(name string) ([]byte, error) {
	f, err := p.openRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBlockFile+1))
}

// rewrite gives the file that c is about another text.
func (r *Reconciler) rewrite(p place, c change, text []byte) error {
	like, err := p.openRegular(c.Name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer like.Close()
	half := r.hide(c.Name, "tmp")
	if err := p.drop(half); err != nil {
		return err
	}
	if err := r.write(p, half, bytes.NewReader(text), like, dress{}); err != nil {
		return err
	}
	if c.Op != opInPlace {
		return p.Rename(half, c.Name)
	}
	from, err := p.openRegular(half, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Close()
	return errors.Join(r.overwrite(p, c.Name, from), p.drop(half))
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
