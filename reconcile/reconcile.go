// Package reconcile makes the host match a desired set of files, and reports.
//
// A Unit is one rule's files, with the commands that check and load them. One
// call of Converge compares the units with the disk and, where they differ,
// makes the change as a transaction: stage the new files beside the old ones,
// check, swap, reload, or else put everything back. What a transaction is about
// to do stands in a journal first, so that whatever ends the process, the next
// Open puts a half-made change right; and which bytes the service has loaded
// stands there too, so that a reload is owed until it has succeeded with exactly
// the bytes on disk. docs/convergence.md tells the whole story.
//
// What is desired, and when to look again, is for the caller to say. The package
// does not render, and knows nothing of clusters but the names of members.
//
// It does its own staging, with os.Root, rather than use renameio: the files of
// a unit are staged, swapped and put back together, keep their owner and
// attributes, and carry names that a later process can recognise as left behind.
package reconcile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"muster/command"
	"muster/statedir"
)

// DefaultOrphanAfter is Config.OrphanAfter's default.
const DefaultOrphanAfter = 2 * time.Second

// A Config says how a Reconciler works.
type Config struct {
	// StateDir holds the journal and its lock. It is created if it is missing.
	StateDir string
	// Logger hears what no Outcome tells: what an Open repaired, a journal that
	// cannot be written. nil is slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// OrphanAfter is how long a path must have been nobody's before it is
	// removed (Unit.OnOrphan): time for another rule to take it over. 0 is
	// DefaultOrphanAfter, less than 0 is no time.
	OrphanAfter time.Duration
	// ReadOnly takes no lock and changes nothing: only Plan and Status work.
	ReadOnly bool

	run  func(context.Context, command.Command) command.Result // nil: command.Run
	hook func(step, what string) error                         // called before every change to the disk
}

// A Reconciler keeps the files of one host. Open makes one; its methods may be
// called concurrently.
type Reconciler struct {
	cfg   Config
	log   *slog.Logger
	owner string // of hidden files: from the state directory
	run   string // of hidden files: this process's
	lock  *os.File
	sums  sums
	ids   ids
	watch watchList

	mu      sync.Mutex
	journal *journal
	rules   map[string]*ruleState
	claims  map[string]string // path to the rule that wants it
	stuck   map[string]record // intents that could not be undone
	seen    map[string]bool   // directories that were swept
	count   int               // of transactions
	blind   map[string]bool   // keys of checks that see nothing in a mount namespace; "" for all
}

// Open takes the state directory, for this process alone, finishes or undoes
// what a process that was killed left half done, and removes its temporary
// files. It fails if another process has the directory.
func Open(cfg Config) (*Reconciler, error) {
	r := &Reconciler{
		cfg: cfg, log: cfg.Logger,
		rules: map[string]*ruleState{}, claims: map[string]string{},
		stuck: map[string]record{}, seen: map[string]bool{}, blind: map[string]bool{},
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	if r.cfg.run == nil {
		r.cfg.run = command.Run
	}
	switch {
	case cfg.OrphanAfter == 0:
		r.cfg.OrphanAfter = DefaultOrphanAfter
	case cfg.OrphanAfter < 0:
		r.cfg.OrphanAfter = 0
	}
	r.watch.wake = make(chan struct{}, 1)
	r.watch.changed = make(chan struct{}, 1)
	if err := r.takeStateDir(); err != nil {
		return nil, fmt.Errorf("cannot use state directory %s: %w", cfg.StateDir, err)
	}
	step := func(what string) error { return r.step(what, "") }
	j, damages, err := openJournal(cfg.StateDir, cfg.ReadOnly, step)
	if err != nil {
		r.release()
		return nil, fmt.Errorf("cannot use state directory %s: %w", cfg.StateDir, err)
	}
	r.journal = j
	for _, d := range damages {
		if d.torn {
			r.log.Info("the journal's last line was half written and is left out", "line", d.line)
		} else {
			r.log.Warn("a line of the journal is damaged and left out; every rule is checked and reloaded once", "line", d.line, "error", d.err)
		}
	}
	if !cfg.ReadOnly {
		r.recover()
	}
	return r, nil
}

// takeStateDir creates and locks the state directory.
func (r *Reconciler) takeStateDir() error {
	if r.cfg.StateDir == "" {
		return errors.New("it has no name")
	}
	if !r.cfg.ReadOnly {
		if err := os.MkdirAll(r.cfg.StateDir, 0o700); err != nil {
			return cause(err)
		}
	}
	dir, err := filepath.Abs(r.cfg.StateDir)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	r.cfg.StateDir = dir
	hash := sha256.Sum256([]byte(dir))
	r.owner = hex.EncodeToString(hash[:4])
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	r.run = hex.EncodeToString(random[:])
	if r.cfg.ReadOnly {
		return nil
	}
	r.lock, err = statedir.Lock(filepath.Join(dir, "lock"))
	return err
}

func (r *Reconciler) release() {
	if r.lock != nil {
		r.lock.Close()
	}
}

// Close gives the state directory back. No other method is running or called
// from then on.
func (r *Reconciler) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.release()
	if err := r.journal.close(); err != nil {
		return fmt.Errorf("cannot close the journal: %w", err)
	}
	return nil
}

func (r *Reconciler) now() time.Time {
	if r.cfg.Now != nil {
		return r.cfg.Now()
	}
	return time.Now()
}

// step is called before every change to the disk; tests make it fail there.
func (r *Reconciler) step(step, what string) error {
	if r.cfg.hook == nil {
		return nil
	}
	return r.cfg.hook(step, what)
}

// note writes records that can be written later if they cannot be now.
func (r *Reconciler) note(recs ...record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wasStale := r.journal.stale
	for i := range recs {
		recs[i].At = r.now().UnixMilli()
	}
	if err := r.journal.append(false, recs...); err != nil && !wasStale {
		r.log.Warn("the journal is behind; nothing is lost unless the process ends now", "error", err)
	}
}

// Forget says that rules do not exist any more. Their files stay, as orphans.
func (r *Reconciler) Forget(rules []string) {
	var recs []record
	r.mu.Lock()
	for _, name := range rules {
		delete(r.rules, name)
		for path, rule := range r.claims {
			if rule == name {
				delete(r.claims, path)
			}
		}
		if _, known := r.journal.state.rules[name]; known {
			recs = append(recs, record{Kind: recForgot, Rule: name})
		}
	}
	r.mu.Unlock()
	if len(recs) > 0 {
		r.note(recs...)
	}
}
