package nodes

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"muster/cluster"
	"muster/load"
)

// Query is the name of the query that asks every node for its load. An agent
// of Serf's own does not answer it.
const Query = cluster.OwnQuery + "load"

// fresh is for how long a load once read is told again: whoever may ask could
// otherwise have every node read its files as often as he likes.
const fresh = time.Second

// An Answerer answers Query for this machine. Its zero value is ready, from
// any goroutine.
type Answerer struct {
	RootFS string       // below which the machine's files are; default "/"
	Logger *slog.Logger // nil discards

	mu     sync.Mutex
	at     time.Time  // of load
	load   *load.Load // nil: it cannot be read
	failed bool       // the last reading

	read func() (load.Load, error) // nil: load.Read
}

// Handle answers e, as a cluster.Handler. Where the load cannot be read it
// says so in the log, once, and leaves the query unanswered.
func (a *Answerer) Handle(_ context.Context, e cluster.Event) {
	text, err := a.answer(time.Now())
	if err != nil || text == nil {
		return
	}
	if err := e.Respond(text); err != nil && a.Logger != nil {
		a.Logger.Debug("a node's question is not answered", "query", e.Name, "error", err) // too late, or the asker is gone
	}
}

// answer returns what to answer; nil: nothing.
func (a *Answerer) answer(now time.Time) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := now.Sub(a.at); age < 0 || age >= fresh {
		a.reread(now)
	}
	if a.load == nil {
		return nil, nil
	}
	return a.load.Encode(now)
}

// reread reads the load, and says in the log when that begins to fail.
func (a *Answerer) reread(now time.Time) {
	read := a.read
	if read == nil {
		read = func() (load.Load, error) { return load.Read(cmp.Or(a.RootFS, "/")) }
	}
	l, err := read()
	if err == nil {
		err = l.Check()
	}
	a.at, a.load = now, &l
	if err != nil {
		a.load = nil
	}
	if err != nil && !a.failed && a.Logger != nil {
		a.Logger.Warn("this node cannot tell the others how busy it is", "error", err)
	}
	a.failed = err != nil
}
