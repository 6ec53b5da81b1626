package actions

import (
	"strconv"
	"strings"
	"time"

	"muster/cluster"
	"muster/logs"
	"muster/rules"
)

type nowFunc = func() time.Time

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// A lane is one rule or handler with its queue. Its fields are guarded by the
// Runner's mutex, but for the first, which never change.
type lane struct {
	kind, name string
	id         string // in the ledger
	handler    rules.Handler
	event      string // the name of the user event that a file handles

	rule  *rules.Rule
	gone  bool     // it stays only until what runs has ended
	queue []*job   //
	early []*heard // before there was a view to judge them by
	waits map[string]*wait
	level level
	sight sight
	busy  bool // there is a worker

	heard, run, failed, dropped, unwanted uint64
	refused                               map[string]uint64
	running                               *Running
	last                                  *Last
	problem                               string // of the evaluation
	stuck                                 string // why it cannot go on with its queue

	toldAt time.Time // when it was last logged that something did not fit
	untold uint64
	lines  logs.Budget // for what was done: whoever sends events causes them
}

const (
	logWindow = 10 * time.Second
	maxLines  = 50 // in a window
)

// A job is one occasion in a queue.
type job struct {
	event   cluster.Event // as the rule sees it
	signer  string
	member  *cluster.Member
	entry   *entry // nil: not in the ledger
	claimed bool
	lasting string // of one that waited for its `for`: the type of its event
}

const handlerQueue = 64 // as a rule has it by default

func (l *lane) limit() int {
	if l.rule != nil {
		return l.rule.Queue
	}
	return handlerQueue
}

// triggered reports whether e is one of those that the lane is for.
func (l *lane) triggered(e cluster.Event) bool {
	switch l.kind {
	case KindRule:
		return l.rule.Triggered(e)
	case KindHandler:
		return l.handler.Triggered(e)
	}
	return e.Type == cluster.EventUser && e.Name == l.event
}

// ready reports whether v is enough to judge events by.
func (l *lane) ready(v cluster.View) bool {
	return v.Self != "" && (l.rule == nil || l.rule.Nodes != rules.NodesOne || v.Settled)
}

// runnable reports whether v is enough to do what is in the queue: a quorum is
// not counted in a view that lacks members.
func (l *lane) runnable(v cluster.View) bool {
	return v.Self != "" && (l.rule == nil || l.rule.Quorum == 0 || v.Settled)
}

// strict reports whether nothing may be begun that is not known to be on disk.
// What may be repeated needs no such care, and Serf's lines never had any.
func (l *lane) strict() bool {
	return l.kind != KindHandler && !l.repeatable()
}

// repeatable reports whether an action that was cut off may be run again.
func (l *lane) repeatable() bool {
	runs := false
	if l.rule == nil {
		return false
	}
	for _, s := range l.rule.Steps {
		if s.Run != nil && !s.Run.Idempotent || s.Respond != nil {
			return false
		}
		runs = runs || s.Run != nil
	}
	return runs
}

func (l *lane) refuse(reason string) {
	if l.refused == nil {
		l.refused = map[string]uint64{}
	}
	l.refused[reason]++
}

func (l *lane) queued() uint64 { return uint64(len(l.queue) + len(l.early) + len(l.waits)) }

// describe says in a few words what happened; never a payload.
func describe(e cluster.Event, member *cluster.Member) string {
	switch {
	case e.Type == cluster.EventUser || e.Type == cluster.EventQuery:
		return e.Type + ":" + printable(e.Name) + " (" + strconv.FormatUint(e.LTime, 10) + ")"
	case member != nil:
		return e.Type + " " + printable(member.Name)
	case len(e.Members) == 1:
		return e.Type + " " + printable(e.Members[0].Name)
	}
	return e.Type + " (" + strconv.Itoa(len(e.Members)) + " members)"
}

// printable is a name from the network, fit for a line of a log.
func printable(s string) string {
	if len(s) > 128 {
		s = s[:128] + "…"
	}
	q := strconv.Quote(s)
	if plain := q[1 : len(q)-1]; !strings.ContainsAny(plain, `\ `) {
		return plain
	}
	return q
}

// take removes and returns the first job.
func (l *lane) take() *job {
	j := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return j
}

// unclaimed lists the entries at the head of the queue that can share a claim.
func (l *lane) unclaimed() []*job {
	var out []*job
	for _, j := range l.queue[:min(len(l.queue), maxClaim)] {
		if j.entry != nil && !j.claimed {
			out = append(out, j)
		}
	}
	return out
}

// maxClaim is how much of a queue is claimed at once. A claim costs a sync;
// and a power cut makes all of it count as cut off.
const maxClaim = 16
