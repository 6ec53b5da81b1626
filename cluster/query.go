package cluster

import (
	"context"
	"io"
	"time"
)

// A Query is a question to the cluster, which any member may answer once.
type Query struct {
	Name    string
	Payload []byte
	// Nodes names the members that are asked; none means all. Tags are
	// regular expressions, anchored at both ends, that the tags of a member
	// must match to be asked; a tag that it lacks counts as empty.
	Nodes []string
	Tags  map[string]string
	// Ack makes every member say that it heard, too.
	Ack bool
	// Relay is how many other members each answer goes through besides the
	// direct way. However it comes, it arrives once.
	Relay uint8
	// Timeout is how long answers count; 0 is Serf's default, which grows
	// with the cluster: 16 gossip intervals for every digit of its size.
	Timeout time.Duration
}

// An Answer is what a member says to a query.
type Answer struct {
	From    string
	Ack     bool // it only says that it heard
	Payload []byte
}

// Answers are the answers to a query, as they come.
type Answers struct {
	expected []string
}

// Next waits for the next answer. It returns io.EOF when the time is over, or
// when all Expected members have answered (and acknowledged, if asked to).
func (a *Answers) Next(ctx context.Context) (Answer, error) { return Answer{}, io.EOF }

// Expected lists the names of the living members that were meant when the
// query was asked, sorted.
func (a *Answers) Expected() []string { return a.expected }

// Close ends the waiting for answers.
func (a *Answers) Close() {}

// Query asks the cluster.
func (n *Node) Query(ctx context.Context, q Query) (*Answers, error) { return &Answers{}, nil }
