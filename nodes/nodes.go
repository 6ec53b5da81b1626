// Package nodes knows how the nodes of a cluster are: since when each is in
// its state, how busy it says it is, and how much it is suspected of having
// died. It asks them, with a Serf query, only while somebody looks.
//
// Its suspicion stands next to Serf's own failure detection and never
// overrides it: no rule and no file hangs on it. Who the members are it takes
// from cluster, what an answer means from load, and how silence is judged from
// accrual.
package nodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muster/accrual"
	"muster/cluster"
)

// Answers hands out the answers to a query as they come, as those of cluster
// and of rpc do: Next returns io.EOF when it is over, and the error of its
// context, after which it may be called again.
type Answers interface {
	Next(ctx context.Context) (cluster.Answer, error)
	Close()
}

// Bounds and defaults of Config.Every.
const (
	DefaultEvery = 5 * time.Second
	MinEvery     = time.Second
	MaxEvery     = time.Minute
)

// Config is what a Book needs.
type Config struct {
	View func() cluster.View
	// Ask asks all members; answers count until the query's time-out.
	Ask func(ctx context.Context, q cluster.Query) (Answers, error)
	// RTT estimates the round-trip time to a member; nil: there is no way to.
	RTT func(ctx context.Context, member string) (time.Duration, bool)
	// RTTs is of how many members it is asked for after each round, by turns;
	// 0: of all.
	RTTs int
	// Every is the time between two rounds of questions, give or take a tenth
	// so that those who look do not keep step; default DefaultEvery. It counts
	// across looks, too: there is never less than nine tenths of it between.
	Every time.Duration
	// Lease is for how long after a look the questions go on; default six
	// times Every.
	Lease time.Duration
	// Threshold is the φ from which a node is suspected; default 8.
	Threshold float64
	Logger    *slog.Logger // nil discards
}

// check returns c with its defaults.
func (c Config) check() (Config, error) {
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.Every < MinEvery || c.Every > MaxEvery {
		return c, fmt.Errorf("cannot ask the nodes every %v: it may be from %v to %v", c.Every, MinEvery, MaxEvery)
	}
	if c.View == nil || c.Ask == nil {
		return c, errors.New("cannot ask the nodes: there is nobody to ask")
	}
	if c.Lease <= 0 {
		c.Lease = 6 * c.Every
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// A Book is what is known of the nodes. Its methods may be called from any
// goroutine, before, while and after Run. It remembers something of members
// only.
type Book struct {
	c       Config
	log     *slog.Logger
	suspect *accrual.Config
	wanted  chan struct{} // one slot: somebody looks

	mu      sync.Mutex
	records map[string]*record // by name
	lease   time.Time          // until then there is somebody who looks
	asked   time.Time          // the last round; zero: none yet
	heard   time.Time          // the last round that has been heard out
	paused  bool               // nobody is asked
	problem string             // why the last round could not be asked; empty: it was
	rounded chan struct{}      // closed when a round has been heard out
	turn    int                // in the members' order: whose round-trip time is next
	rounds  uint64             // so far
}

// New returns a Book. Nothing happens before Run.
func New(c Config) (*Book, error) {
	c, err := c.check()
	if err != nil {
		return nil, err
	}
	suspect := accrual.Config{Expected: c.Every, Threshold: c.Threshold}.WithDefaults()
	return &Book{
		c: c, log: c.Logger, suspect: &suspect, wanted: make(chan struct{}, 1),
		records: map[string]*record{}, paused: true, rounded: make(chan struct{}),
	}, nil
}
