package actions

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	ledgerName = "events.ledger"
	badName    = "events.ledger.bad"
	maxLine    = 1 << 20 // bytes of a record
	// What has ended is remembered until so many others have, and for so long.
	keepDone = 4096
	keepFor  = 7 * 24 * time.Hour
	// The ledger is rewritten when it is larger than this and four times what it
	// was after the last time.
	compactFrom = 1 << 20
	maxNonces   = 1 << 16
	// How soon after a failure the ledger is tried again, at most.
	maxPatience = 30 * time.Second
)

// A ledger is an append-only file of records and the state they add up to.
//
// A record is written before what it tells of happens, so that the ledger is
// true after a kill at any moment: the kernel keeps what was written. What must
// be true after a power cut, too, is synced: a claim, by which an occasion may
// be begun. Many share one sync. The rest is synced when somebody gets to it.
//
// When it cannot be written, the state goes on in memory, claims fail, and the
// file is written afresh when that works again.
type ledger struct {
	dir  string
	now  func() time.Time
	step func(string) error // tests

	mu      sync.Mutex
	rested  sync.Cond // of syncing
	file    *os.File
	size    int64
	base    int64  // size after the last rewrite
	written uint64 // appends so far
	synced  uint64 // of these, how many are on disk
	syncing bool
	broken  error         // why the file lacks what the state has; nil: it does not
	wait    time.Duration // from one attempt to mend it to the next
	retry   time.Time

	state
}

// A state is what the records of a ledger add up to.
type state struct {
	clock   uint64
	lastID  uint64
	boot    string
	entries map[key]*entry
	byID    map[uint64]*entry
	ended   []*entry         // those that are done, the latest last
	nonces  map[string]int64 // until when each is remembered
}

func newState() state {
	return state{entries: map[key]*entry{}, byID: map[uint64]*entry{}, nonces: map[string]int64{}}
}

// apply takes one more record into account. It fails for one that makes no
// sense after those before it.
func (s *state) apply(r record) error {
	switch r.Kind {
	case recAccept:
		e, err := r.entry()
		if err != nil {
			return err
		}
		if s.entries[e.key] != nil || s.byID[e.id] != nil {
			return errors.New("an occasion is there twice")
		}
		s.clock, s.lastID = max(s.clock, e.ltime), max(s.lastID, e.id)
		s.entries[e.key], s.byID[e.id] = e, e
		if e.state == done {
			s.end(e)
		}
	case recClaim:
		for _, id := range r.IDs {
			if e := s.byID[id]; e != nil && e.state == accepted {
				e.state = claimed
			}
		}
	case recStart:
		if e := s.byID[r.ID]; e != nil && e.state != done {
			e.state = started
		}
	case recDone:
		if e := s.byID[r.ID]; e != nil && e.state != done {
			e.state, e.verdict = done, r.Verdict
			s.end(e)
		}
	case recClock:
		s.clock = max(s.clock, r.LTime)
	case recNonce:
		s.nonces[r.Nonce] = r.At
	case recBoot:
		s.boot = r.Boot
	default:
		return fmt.Errorf("unknown kind %q", r.Kind)
	}
	return nil
}

// end forgets the payload of e, and what ended long before e.
func (s *state) end(e *entry) {
	e.payload = nil
	s.ended = append(s.ended, e)
	if len(s.ended) > keepDone {
		s.forget(len(s.ended) - keepDone)
	}
}

// forget drops the n that ended first.
func (s *state) forget(n int) {
	for _, e := range s.ended[:n] {
		delete(s.entries, e.key)
		delete(s.byID, e.id)
	}
	s.ended = append([]*entry(nil), s.ended[n:]...)
}

// expire drops what is older than it is kept.
func (s *state) expire(now time.Time) {
	n := 0
	for n < len(s.ended) && now.Sub(s.ended[n].at) > keepFor {
		n++
	}
	s.forget(n)
	for nonce, until := range s.nonces {
		if until < now.UnixMilli() {
			delete(s.nonces, nonce)
		}
	}
}

// snapshot returns the records whose replay gives s.
func (s *state) snapshot() []record {
	out := []record{{Kind: recBoot, Boot: s.boot}, {Kind: recClock, LTime: s.clock}}
	for nonce, until := range s.nonces {
		out = append(out, record{Kind: recNonce, Nonce: nonce, At: until})
	}
	for _, e := range s.ended {
		out = append(out, e.record())
	}
	for _, e := range s.open() {
		out = append(out, e.record())
	}
	return out
}

// append writes records. They are part of the state even when that fails.
func (l *ledger) append(recs ...record) error {
	var lines []byte
	for _, r := range recs {
		if err := l.apply(r); err != nil {
			return err
		}
		lines = r.encode(lines)
	}
	if l.broken != nil {
		return l.mend()
	}
	err := l.step("write")
	if err == nil {
		_, err = l.file.Write(lines)
	}
	if err != nil {
		_ = l.file.Truncate(l.size) // else the rewrite takes care of it
		l.fail(err)
		return l.broken
	}
	l.size += int64(len(lines))
	l.written++
	if l.size > compactFrom && l.size > 4*l.base {
		if err := l.rewrite(); err != nil {
			l.base = l.size // what is there serves; not again at once
		}
	}
	return nil
}

// fail notes that the file is not what it should be.
func (l *ledger) fail(err error) {
	l.broken = fmt.Errorf("cannot write the event ledger: %w", cause(err))
	l.wait = min(max(2*l.wait, time.Second), maxPatience)
	l.retry = l.now().Add(l.wait)
}

// mend writes the file afresh, if that was not tried a moment ago.
func (l *ledger) mend() error {
	if l.broken == nil || l.now().Before(l.retry) {
		return l.broken
	}
	if err := l.rewrite(); err != nil {
		l.fail(err)
		return l.broken
	}
	l.broken, l.wait = nil, 0
	return nil
}

// sync returns when all that was written before the call is on disk. Those
// who call while one sync is under way share the next.
func (l *ledger) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.syncAll()
}

func (l *ledger) syncAll() error {
	for want := l.written; l.broken == nil && l.synced < want; {
		// in the unlocked part others may append, mend and rewrite
		if l.syncing {
			l.rested.Wait()
			continue
		}
		l.syncing = true
		upTo, file := l.written, l.file
		l.mu.Unlock()
		err := l.step("sync")
		if err == nil {
			err = file.Sync()
		}
		l.mu.Lock()
		l.syncing = false
		l.rested.Broadcast()
		if err != nil {
			l.fail(err)
		} else {
			l.synced = max(l.synced, upTo)
		}
	}
	return l.mend()
}

// rewrite replaces the file by what the state needs.
func (l *ledger) rewrite() error {
	for l.syncing {
		l.rested.Wait()
	}
	if err := l.step("rewrite"); err != nil {
		return err
	}
	l.expire(l.now())
	path := filepath.Join(l.dir, ledgerName)
	f, err := openOwn(path+".new", os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	var lines []byte
	for _, r := range l.snapshot() {
		lines = r.encode(lines)
	}
	_, err = f.Write(lines)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.step("rename")
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		f.Close()
		_ = os.Remove(path + ".new") // it takes room on a full disk
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size, l.base = f, int64(len(lines)), int64(len(lines))
	l.written++
	l.synced = l.written
	return syncDir(l.dir)
}

// close syncs and closes the file.
func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retry = time.Time{}
	err := l.syncAll()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	return err
}

// replay reads records to the end of r. torn is where a last line without an
// end begins, or -1; damages are the lines that could not be read.
func replay(in io.Reader) (s state, torn int64, damages []error, err error) {
	s, torn = newState(), -1
	r := bufio.NewReaderSize(in, 64<<10)
	at := int64(0)
	for number := 1; ; number++ {
		line, n, err := readLine(r)
		if err == io.EOF {
			if n > 0 {
				torn = at
			}
			return s, torn, damages, nil
		}
		if err != nil {
			return s, torn, damages, err
		}
		at += n
		rec, err := decode(line)
		if err == nil {
			err = s.apply(rec)
		}
		if err != nil {
			damages = append(damages, fmt.Errorf("line %d: %w", number, err))
		}
	}
}

// readLine reads a line and returns it without its end, and how long it was.
// Of one that is too long it keeps only a part, which is no record.
func readLine(r *bufio.Reader) (line []byte, n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if err == nil {
			return line[:max(0, len(line)-1)], n, nil
		}
		if err != bufio.ErrBufferFull {
			return line, n, err
		}
	}
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// openOwn opens a file of the state directory. What somebody else put there in
// its place is refused, and a link is not followed.
func openOwn(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	} else if err == nil {
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() {
			err = fmt.Errorf("%s belongs to user %d: remove it, or choose another state directory", path, uid)
		}
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// cause takes the path off err.
func cause(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
