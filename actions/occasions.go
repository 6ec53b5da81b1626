package actions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/cluster"
	"muster/statedir"
)

// openLedger reads the ledger in dir, or begins one. notices say what was
// found to be wrong with it, for a log; they are no reason not to go on.
func openLedger(dir string, now func() time.Time, step func(string) error) (*ledger, []string, error) {
	l := &ledger{dir: dir, now: now, step: step, state: newState()}
	l.rested.L = &l.mu
	if step == nil {
		l.step = func(string) error { return nil }
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	notices, err := l.read(filepath.Join(dir, ledgerName))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the event ledger: %w", err)
	}
	boot := bootID()
	if boot == "" || boot != l.boot {
		for _, e := range l.open() { // a power cut may have lost that they were started
			if e.state == claimed {
				e.state = started
			}
		}
	}
	l.boot = boot
	if err := l.rewrite(); err != nil { // a full disk is no reason not to start
		l.fail(err)
		notices = append(notices, l.broken.Error())
	}
	return l, notices, nil
}

// read takes in the file at path. One that is damaged is set aside; then all
// that has not ended may have been begun.
func (l *ledger) read(path string) (notices []string, err error) {
	in, err := statedir.Open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	s, _, damages, err := replay(in) // a torn end is what a kill leaves
	if err != nil {
		return nil, err
	}
	l.state = s
	if len(damages) == 0 {
		return nil, nil
	}
	for _, e := range l.open() {
		e.state = started
	}
	bad := filepath.Join(l.dir, badName)
	_ = os.Remove(bad)
	notice := fmt.Sprintf("the event ledger was damaged in %d places, first in %v: what had not ended counts as cut off", len(damages), damages[0])
	if os.Link(path, bad) == nil {
		notice += "; the damaged one is kept as " + bad
	}
	return []string{notice}, nil
}

// bootID names this run of the kernel: what was written in it and not synced
// is still there. Empty where that is not known.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// latest returns the Lamport time of the latest user event.
func (l *ledger) latest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

// witness notes the Lamport time of a user event.
func (l *ledger) witness(ltime uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ltime > l.clock && ltime <= cluster.SaneClock {
		_ = l.append(record{Kind: recClock, LTime: ltime}) // see problem
	}
}

// known returns the entry of k; nil if there is none.
func (l *ledger) known(k key) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[k]
}

// accept takes down that a user event is to make a rule act. payload is as the
// rule sees it. It returns nil if that was taken down before.
func (l *ledger) accept(k key, payload []byte, signer string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries[k] != nil {
		return nil
	}
	e := &entry{key: k, id: l.lastID + 1, at: l.now(), payload: payload, signer: signer}
	_ = l.append(e.record()) // it fails again, and is heard, at the claim
	return l.entries[k]
}

// claim takes down, durably, that entries may be begun.
func (l *ledger) claim(es []*entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := record{Kind: recClaim}
	for _, e := range es {
		r.IDs = append(r.IDs, e.id)
	}
	if err := l.append(r); err != nil {
		return err
	}
	return l.syncAll()
}

// start takes down that e is begun now.
func (l *ledger) start(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(record{Kind: recStart, ID: e.id})
}

// finish takes down that e has ended, or will never be begun.
func (l *ledger) finish(e *entry, verdict string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.append(record{Kind: recDone, ID: e.id, Verdict: verdict})
}

// used reports whether a signed envelope was used before.
func (l *ledger) used(nonce string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.nonces) >= maxNonces {
		l.expire(l.now())
	}
	_, used := l.nonces[nonce]
	return used || len(l.nonces) >= maxNonces
}

// use takes down that a signed envelope was used. It is remembered until then.
func (l *ledger) use(nonce string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.append(record{Kind: recNonce, Nonce: nonce, At: until.UnixMilli()})
}

// cutOffs lists what was cut off, by rule, the latest last.
func (l *ledger) cutOffs() map[string][]CutOff {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string][]CutOff{}
	for _, e := range l.ended {
		if e.verdict == verdictCutOff {
			c := CutOff{Event: describe(e.event(), nil), At: e.at}
			out[e.rule] = append(out[e.rule], c)
		}
	}
	return out
}

// problem says why the ledger cannot be written; empty if it can.
func (l *ledger) problem() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		return ""
	}
	return l.broken.Error()
}
