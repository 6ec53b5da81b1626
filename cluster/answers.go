package cluster

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
)

// A responder answers one query, once.
type responder struct {
	query    *serf.Query
	self     string // this node
	limit    int    // bytes of an encoded answer
	deadline time.Time

	mu   sync.Mutex
	done bool
}

// answer sends payload to the node that asks.
func (r *responder) answer(payload []byte) error {
	size := len(encode(msgQueryResponse, queryAnswer{LTime: uint64(r.query.LTime), From: r.self, Payload: payload}))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.done:
		return r.failed(errors.New("already answered"))
	case time.Now().After(r.deadline):
		return r.failed(errors.New("too late: the time for answers is over"))
	case size > r.limit:
		return r.tooLong(size)
	}
	err := r.query.Respond(payload)
	if err != nil && strings.Contains(err.Error(), "response exceeds limit") && !strings.Contains(err.Error(), "relay") {
		return r.tooLong(r.limit + 1) // by the few bytes of the query's number
	}
	// Whatever became of it, a second answer would only confuse: the direct
	// one may be on its way when relaying fails.
	r.done = true
	if err != nil {
		return r.failed(err)
	}
	return nil
}

func (r *responder) failed(err error) error {
	return fmt.Errorf("cannot answer query %s: %w", quote(r.query.Name), err)
}

func (r *responder) tooLong(size int) error {
	return r.failed(fmt.Errorf("too long (%d of %d bytes); shorten it, or raise query_response_size_limit", size, r.limit))
}

// maxUnknown is how many answers a minute may come from nodes that the view
// does not show (yet). Serf remembers all who answer, and anybody can make up
// names.
const maxUnknown = 512

// replies admits answers to queries. Its lock is held while Serf handles one,
// which it does without a lock of its own.
type replies struct {
	sync.Mutex
	minute  time.Time
	unknown int // in it
}

// admit reports why an answer from a node is refused.
func (r *replies) admit(from, self string, members func() []Member, now time.Time) error {
	if err := checkName(from); err != nil {
		return err
	}
	if from == self {
		return nil
	}
	if _, ok := (View{Members: members()}).Member(from); ok {
		return nil
	}
	r.Lock()
	defer r.Unlock()
	if now.Sub(r.minute) >= time.Minute {
		r.minute, r.unknown = now, 0
	}
	if r.unknown++; r.unknown > maxUnknown {
		return errors.New("an answer from nobody known")
	}
	return nil
}
