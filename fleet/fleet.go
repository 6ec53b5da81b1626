// Package fleet knows who in the cluster has converged on what: it asks the
// agents, with a Serf query, how their rules stand, and how these stand to
// members that are about to be taken out of service or are back.
//
// How this node's own rules stand it is told by agent, who the members are by
// cluster. That a node drains is for package drain. What other nodes answer is
// their word, and no more.
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"muster/agent"
	"muster/cluster"
)

// Query is the name of the query that asks every node how its rules stand. Its
// payload is a question, or nothing. An agent of Serf's own acknowledges it and
// does not answer.
const Query = cluster.OwnQuery + "status"

// Answers hands out the answers to a query as they come, as those of cluster
// and of rpc do: Next returns io.EOF when it is over, and the error of its
// context, after which it may be called again.
type Answers interface {
	Next(ctx context.Context) (cluster.Answer, error)
	Close()
}

// Config is what a Fleet needs.
type Config struct {
	View func() cluster.View
	// Ask asks members; answers count until the query's time-out.
	Ask func(ctx context.Context, q cluster.Query) (Answers, error)
	// Standing says how this node's rules stand, and to the members named.
	Standing func(ctx context.Context, members []string) (agent.Standing, error)
	Version  string       // of muster
	Logger   *slog.Logger // nil discards
}

// A Fleet answers for this node and asks the others. Its methods may be called
// from any goroutine.
type Fleet struct {
	c     Config
	log   *slog.Logger
	asked chan cluster.Event // questions that wait for Run
	turn  chan struct{}      // one slot, held by whoever asks; it guards what follows
	last  time.Time          // when the one before was through
	known map[string]bool    // members that have answered once: no agent of Serf's own
}

// maxAsked is how many questions may wait. Those that do not fit get no answer.
const maxAsked = 32

// New returns a Fleet. It answers while Run runs.
func New(c Config) (*Fleet, error) {
	if c.View == nil || c.Ask == nil || c.Standing == nil {
		return nil, errors.New("cannot ask the fleet: there is nobody to ask")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fleet{c: c, log: c.Logger, asked: make(chan cluster.Event, maxAsked), turn: make(chan struct{}, 1), known: map[string]bool{}}, nil
}
