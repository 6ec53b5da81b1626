package actions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"muster/statedir"
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
	f, err := statedir.Open(path+".new", os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC)
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
	return statedir.Sync(l.dir)
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

// cause takes the path off err.
func cause(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
