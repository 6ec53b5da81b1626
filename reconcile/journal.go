package reconcile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"muster/statedir"
)

const (
	journalName = "journal"
	badName     = "journal.bad"
	// maxLine bounds one record; 10,000 members make 200 kB.
	maxLine = 64 << 20
	// the journal is rewritten when it is larger than this and four times what
	// it was after the last time
	compactFrom = 4 << 20
)

// A journal is an append-only file of records, one JSON object a line, and the
// state they add up to. Only intents are synced: what is written after one is
// at worst lost in a power cut, and then done once more.
type journal struct {
	dir   string
	file  *os.File // nil: only read
	size  int64
	base  int64 // size after the last rewrite
	stale bool  // the file lacks something that state has: rewrite it first
	state state
	step  func(string) error
}

// A damage is a line of the journal that could not be read.
type damage struct {
	line int
	torn bool // the last line, half written: what a kill leaves
	err  error
}

// replay reads records until the end. Lines that cannot be read are skipped and
// told; if one was there that is not just the torn end, nothing counts as
// loaded any more, for the line may have said so.
func replay(r io.Reader) (state, []damage, error) {
	s := newState()
	var damages []damage
	lost := false
	in := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(in)
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil && err != io.EOF {
			return s, damages, err
		}
		var rec record
		switch {
		case err == io.EOF:
			damages = append(damages, damage{number, true, errors.New("the line has no end")})
			continue
		case len(bytes.TrimSpace(line)) == 0:
			continue
		case len(line) > maxLine:
			err = errors.New("the line is too long")
		default:
			if err = json.Unmarshal(line, &rec); err == nil {
				err = rec.valid()
			}
		}
		if err != nil {
			lost = true
			damages = append(damages, damage{number, false, err})
			continue
		}
		s.apply(rec)
	}
	if lost {
		for _, r := range s.rules {
			r.loaded = nil
		}
	}
	return s, damages, nil
}

// readLine reads up to the next line feed, and keeps little more than maxLine
// of it.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// openJournal reads the journal in dir, and opens it for appending unless
// readOnly. A damaged one is set aside as journal.bad and written afresh.
func openJournal(dir string, readOnly bool, step func(string) error) (*journal, []damage, error) {
	j := &journal{dir: dir, state: newState(), step: step}
	path := filepath.Join(dir, journalName)
	var damages []damage
	in, err := statedir.Look(path)
	if err == nil {
		j.state, damages, err = replay(in)
		in.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	if readOnly {
		return j, damages, nil
	}
	j.file, err = statedir.Open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	info, err := j.file.Stat()
	if err != nil {
		j.file.Close()
		return nil, nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	j.size = info.Size()
	if len(damages) > 0 {
		j.stale = true
		if damages[0].torn { // alone, then: a kill is no reason to keep a copy
			return j, damages, nil
		}
		bad := filepath.Join(dir, badName)
		_ = os.Remove(bad)
		_ = os.Link(path, bad) // a convenience: who wants to know what was lost
	}
	return j, damages, nil
}

// append writes records, in order, and takes them into the state. With sync
// they are on disk when it returns, or it fails and nothing happened. Without,
// a record that cannot be written is remembered, and written later.
func (j *journal) append(sync bool, recs ...record) error {
	if j.file == nil {
		return errors.New("cannot write the journal: it was opened for reading only")
	}
	err := j.write(sync, recs)
	if err != nil {
		j.stale = true
		if sync {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
	}
	for _, rec := range recs {
		j.state.apply(rec)
	}
	if err == nil && j.size > compactFrom && j.size > 4*j.base {
		err = j.rewrite()
	}
	return err
}

func (j *journal) write(sync bool, recs []record) error {
	if j.stale {
		if err := j.rewrite(); err != nil {
			return err
		}
	}
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	out.SetEscapeHTML(false)
	for _, rec := range recs {
		if err := out.Encode(rec); err != nil {
			return err
		}
	}
	if err := j.step("journal write"); err != nil {
		return err
	}
	n, err := j.file.Write(lines.Bytes())
	if err != nil {
		_ = j.file.Truncate(j.size) // else the rewrite takes care of it
		return err
	}
	j.size += int64(n)
	if !sync {
		return nil
	}
	if err := j.step("journal sync"); err != nil {
		return err
	}
	return j.file.Sync()
}

// rewrite replaces the file by what the state needs.
func (j *journal) rewrite() error {
	if err := j.step("journal rewrite"); err != nil {
		return err
	}
	path := filepath.Join(j.dir, journalName)
	f, err := statedir.Open(path+".new", os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	size, err := j.fill(f)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = statedir.Sync(j.dir)
	}
	if err != nil {
		f.Close()
		return err
	}
	j.file.Close()
	j.file, j.size, j.base, j.stale = f, size, size, false
	return nil
}

func (j *journal) fill(f *os.File) (size int64, err error) {
	buf := bufio.NewWriterSize(f, 64<<10)
	out := json.NewEncoder(buf)
	out.SetEscapeHTML(false)
	for _, rec := range j.state.snapshot() {
		if err := out.Encode(rec); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(buf.Flush(), f.Sync()); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	var err error
	if j.stale {
		err = j.rewrite()
	}
	return errors.Join(err, j.file.Close())
}
