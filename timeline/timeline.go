// Package timeline keeps what has happened on and around a node lately, in
// memory: a bounded list of lines for people to read.
//
// It leaves what is worth a line to those who know of it, and everything that
// must not be lost to the log. It takes no payload, no output of a command and
// no text of a file: whoever adds an entry leaves them out.
package timeline

import (
	"slices"
	"sync"
	"time"
)

// A Kind says what sort of thing happened.
type Kind string

// The kinds of entries.
const (
	Member Kind = "member" // joined, failed, left, is back, or says something else of itself
	Rule   Kind = "rule"   // applied, held, failed, in sync again, …
	Event  Kind = "event"  // a user event or a query came
	Action Kind = "action" // a rule or a handler has acted
	Agent  Kind = "agent"  // rules read, settled, alone, cut off, …
)

// An Entry is one thing that happened.
type Entry struct {
	ID   uint64    `json:"id"` // 1, 2, …; given by Add
	At   time.Time `json:"at"` // of Add, where it is zero
	Kind Kind      `json:"kind"`
	Rule string    `json:"rule,omitempty"` // the rule it is about
	Node string    `json:"node,omitempty"` // the member it is about, as it calls itself
	// Text is one line of at most 300 bytes, whole characters, with control
	// characters made visible; Add sees to that.
	Text string `json:"text"`
	Bad  bool   `json:"bad,omitempty"`  // something went wrong, or somebody failed
	Left bool   `json:"left,omitempty"` // a member left in good order, or was forgotten after that; never with Bad
}

// A Log keeps the latest entries. Where one more does not fit, the oldest of
// the kind gives way that there are most of: so a flood of one kind, as of user
// events, pushes out itself and nothing else. A nil Log keeps nothing.
type Log struct {
	size int

	mu      sync.Mutex
	entries []Entry // in the order of their IDs
	count   map[Kind]int
	last    uint64
	changed chan struct{} // closed at the next Add
}

// New returns a Log of the last size entries; size is at least 1.
func New(size int) *Log {
	return &Log{size: max(size, 1), count: map[Kind]int{}, changed: make(chan struct{})}
}

// Add adds an entry. It never waits, and may be called from any goroutine.
func (l *Log) Add(e Entry) {
	if l == nil {
		return
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Text = line(e.Text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.ID = l.last
	l.entries = append(l.entries, e)
	l.count[e.Kind]++
	if len(l.entries) > l.size {
		l.evict()
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// evict drops the oldest entry of the kind that there are most of.
func (l *Log) evict() {
	most := 0
	for _, n := range l.count {
		most = max(most, n)
	}
	i := slices.IndexFunc(l.entries, func(e Entry) bool { return l.count[e.Kind] == most })
	l.count[l.entries[i].Kind]--
	l.entries = slices.Delete(l.entries, i, i+1)
}

// After returns the entries with an ID above id, oldest first: the latest most
// of them, all where most is below 1. IDs may be missing between them. An id
// above Last is of another life of this agent, and all that is kept comes after
// it.
func (l *Log) After(id uint64, most int) []Entry {
	if l == nil {
		return []Entry{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if id > l.last {
		id = 0
	}
	i, _ := slices.BinarySearchFunc(l.entries, id+1, func(e Entry, id uint64) int {
		if e.ID < id {
			return -1
		}
		return 1
	})
	if most > 0 {
		i = max(i, len(l.entries)-most)
	}
	return append([]Entry{}, l.entries[i:]...)
}

// Last returns the ID of the latest entry; 0 before the first.
func (l *Log) Last() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Changed returns a channel that is closed at the next Add. To miss nothing,
// take it before After.
func (l *Log) Changed() <-chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
