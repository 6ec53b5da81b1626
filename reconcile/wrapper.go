package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// writeWrapper writes the text of p's wrapper beside its first file, under a
// hidden name that a later process would sweep, and returns where. Who runs
// the check must be able to read it.
func (r *Reconciler) writeWrapper(p *pass, text []byte) (path string, remove func(), err error) {
	remove = func() {}
	if len(p.wants) == 0 {
		return "", remove, errors.New("cannot write the check's wrapper: the rule has no file")
	}
	w := p.wants[0]
	dir, err := resolveDir(filepath.Dir(w.seen.real))
	if err != nil {
		return "", remove, fmt.Errorf("cannot write the check's wrapper: %w", cause(err))
	}
	in, err := openPlace(dir)
	if err != nil {
		return "", remove, fmt.Errorf("cannot write the check's wrapper: %w", err)
	}
	name := r.hide(filepath.Base(w.seen.real)+".check", "tmp")
	r.know(dir)
	like := File{Mode: new(fs.FileMode(0o644))}
	if p.sensitive() {
		like.User, *like.Mode = p.check.User, 0o600
	}
	var looks dress
	if looks, err = r.ids.dress(like); err == nil {
		err = in.drop(name)
	}
	if err == nil {
		err = r.write(in, name, bytes.NewReader(text), nil, looks)
	}
	remove = func() {
		_ = in.drop(name) // else the next start sweeps it
		in.Close()
	}
	if err != nil {
		remove()
		return "", func() {}, fmt.Errorf("cannot write the check's wrapper: %w", errors.Join(cause(err), notFound(err, dir)))
	}
	return filepath.Join(dir, name), remove, nil
}

// notFound names the directory that is missing.
func notFound(err error, dir string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("directory %s", dir)
	}
	return nil
}
