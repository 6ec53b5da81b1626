package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// The words of the lines around a block, behind the sign that begins a comment.
const (
	blockBegin = " BEGIN muster"
	blockEnd   = " END muster"
)

// maxBlockFile bounds a file of which a block is ours, in bytes.
const maxBlockFile = 64 << 20

// A rest is a file of which only a block is ours.
type rest struct {
	sum                  string // of the whole file
	before, block, after []byte
}

func (r *rest) without() []byte { return bytes.Join([][]byte{r.before, r.after}, nil) }

func (r *rest) with() []byte { return bytes.Join([][]byte{r.before, r.block, r.after}, nil) }

// replace returns the whole file with another block: where the old one is, or
// at the end.
func (r *rest) replace(block []byte) []byte {
	if r == nil {
		return block
	}
	before := r.before
	if len(before) > 0 && before[len(before)-1] != '\n' { // a last line without an end
		before = append(before[:len(before):len(before)], '\n')
	}
	return bytes.Join([][]byte{before, block, r.after}, nil)
}

// look looks at path; with the sign of its comments, only the block counts.
func (r *Reconciler) look(path, sign string) (sighting, error) {
	seen, err := r.sums.look(path)
	if err != nil || sign == "" || !seen.exists {
		return seen, err
	}
	text, err := readWhole(seen.real, seen.id)
	if err != nil {
		return seen, fmt.Errorf("cannot read %s: %w", path, err)
	}
	whole := seen.sum
	seen.rest, err = cut(text, sign)
	if err != nil {
		return seen, fmt.Errorf("cannot tell which part of %s is muster's: %w", path, err)
	}
	seen.rest.sum, seen.sum = whole, ""
	if len(seen.rest.block) > 0 {
		seen.sum = sumOf(seen.rest.block)
	}
	return seen, nil
}

// readWhole reads the file that had the given identity a moment ago.
func readWhole(path string, id fileID) ([]byte, error) {
	if id.size > maxBlockFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxBlockFile)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBlockFile))
	if err != nil {
		return nil, cause(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if idOf(&st) != id {
		return nil, errors.New("it was changed just now: it is looked at again")
	}
	return text, nil
}

// cut finds the block in text, whose comments begin with sign.
func cut(text []byte, sign string) (*rest, error) {
	begin, end := -1, -1
	line := 0
	for at := 0; at < len(text); {
		line++
		next := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		switch this := text[at:next]; {
		case isMarker(this, sign+blockBegin):
			if begin >= 0 {
				return nil, fmt.Errorf("line %d begins a second block: remove one of them", line)
			}
			begin = at
		case isMarker(this, sign+blockEnd):
			if begin < 0 || end >= 0 {
				return nil, fmt.Errorf("line %d ends a block that no line begins: remove it", line)
			}
			end = next
		}
		at = next
	}
	switch {
	case begin >= 0 && end < 0:
		return nil, fmt.Errorf("the line \"%s%s\" is missing that ends the block: add it, or remove the block's first line", sign, blockEnd)
	case begin < 0:
		return &rest{before: text}, nil
	}
	return &rest{before: text[:begin], block: text[begin:end], after: text[end:]}, nil
}

// isMarker reports whether line begins with the words of marker.
func isMarker(line []byte, marker string) bool {
	after, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(after) == 0 || bytes.IndexByte([]byte(" \t\r\n:"), after[0]) >= 0)
}

// fillBlock works out what the whole file of w shall be, and the sum of the
// block in it.
func (w *want) fillBlock(rule string) error {
	f := w.file
	inner := f.Bytes
	if len(inner) > 0 && inner[len(inner)-1] != '\n' {
		inner = append(inner[:len(inner):len(inner)], '\n')
	}
	if r, err := cut(inner, f.Block); err != nil || len(r.block) > 0 {
		return fmt.Errorf("cannot write %s: what is rendered has the lines in it that begin and end a block: leave them to muster", f.Path)
	}
	block := fmt.Appendf(nil, "%s%s: kept by rule %s, what is changed in here is put back\n%s%s%s\n", f.Block, blockBegin, rule, inner, f.Block, blockEnd)
	w.sum, w.bytes = sumOf(block), w.seen.rest.replace(block)
	return nil
}

// unchanged reports whether the file that it replaces is still the one that
// was looked at.
func (p place) unchanged(it *item) bool {
	id, err := p.idOf(it.Name)
	return err == nil && id == it.seen.id
}

// idOf returns the identity of the file name in p.
func (p place) idOf(name string) (fileID, error) {
	d, err := p.Open(".")
	if err != nil {
		return fileID{}, err
	}
	defer d.Close()
	var st unix.Stat_t
	err = unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return idOf(&st), err
}
