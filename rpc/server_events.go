package rpc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/cluster"
)

const (
	maxStreams  = 64   // of a connection
	maxQuestion = 1024 // queries of a connection that wait for its answer
)

// A filter says which events a stream carries, as Serf's event handlers do:
// "member-join", "user:deploy", "query", "*".
type filter struct {
	kind, name string // name: of a user event or query; empty means any
}

// parseFilters reads filters with commas between them; none means "*".
func parseFilters(text string) ([]filter, error) {
	var out []filter
	for part := range strings.SplitSeq(text, ",") {
		f := filter{kind: part}
		for _, kind := range []string{cluster.EventUser, cluster.EventQuery} {
			if name, ok := strings.CutPrefix(part, kind+":"); ok {
				f = filter{kind, name}
			}
		}
		switch f.kind {
		case cluster.EventJoin, cluster.EventLeave, cluster.EventFailed, cluster.EventUpdate, cluster.EventReap,
			cluster.EventUser, cluster.EventQuery, "*":
		case "":
			if text != "" {
				return nil, refusal(errInvalidFilter)
			}
			f.kind = "*"
		default:
			return nil, refusal(errInvalidFilter)
		}
		out = append(out, f)
	}
	return out, nil
}

func (f filter) matches(e cluster.Event) bool {
	return f.kind == "*" || f.kind == e.Type && (f.name == "" || f.name == e.Name)
}

// events are a connection's streams. One goroutine reads the node's events
// for all of them. The lists are guarded by the connection's writer, so that
// a stream's first record never comes before the answer that it was begun,
// and none after the answer that it was ended.
type events struct {
	conn      *conn
	cursor    *cursor
	streams   []stream
	next      uint64 // ID of a query
	questions []question
}

type stream struct {
	seq     uint64
	filters []filter
}

// A question is a query that a client was told of and may answer.
type question struct {
	id    uint64
	event cluster.Event
}

// stream begins a stream: what is heard from before the answer on is sent.
func (c *conn) stream(seq uint64, frame []byte) error {
	var q streamRequest
	if err := decode(frame, &q); err != nil {
		return c.answer(seq, nil, err)
	}
	filters, err := parseFilters(q.Type)
	if err != nil {
		return c.answer(seq, nil, err)
	}
	if c.events == nil {
		c.events = &events{conn: c, cursor: c.server.cursor(c.end)}
		c.pumps.Go(c.events.pump)
	}
	e := c.events
	if err := e.check(seq); err != nil {
		return c.answer(seq, nil, err)
	}
	c.follows.Add(1)
	err = c.out.send(seq, "", nil, func() { e.streams = append(e.streams, stream{seq, filters}) })
	if err != nil {
		return sendError(err)
	}
	return nil
}

// check reports why there can be no stream of that number.
func (e *events) check(seq uint64) error {
	// Only this goroutine changes the list.
	if slices.ContainsFunc(e.streams, func(s stream) bool { return s.seq == seq }) {
		return refusal(errStreamExists)
	}
	if len(e.streams) >= maxStreams {
		return fmt.Errorf("more than %d streams on one connection", maxStreams)
	}
	return nil
}

// end ends the stream of that number, if there is one.
func (e *events) end(seq uint64) {
	if e == nil {
		return
	}
	e.conn.out.mu.Lock()
	defer e.conn.out.mu.Unlock()
	before := len(e.streams)
	e.streams = slices.DeleteFunc(e.streams, func(s stream) bool { return s.seq == seq })
	e.conn.follows.Add(int32(len(e.streams) - before))
}

func (e *events) close() {
	if e != nil {
		e.cursor.close()
	}
}

// pump sends what is heard until the connection ends.
func (e *events) pump() {
	for {
		select {
		case <-e.conn.ctx.Done():
			return
		case <-e.cursor.more:
		}
		for more := true; more; {
			var heard cluster.Event
			var ok bool
			if heard, ok, more = e.cursor.next(); !ok {
				break
			}
			if err := e.pass(heard, more); err != nil {
				e.conn.end(err)
				return
			}
		}
	}
}

// pass sends an event to the streams that carry it, with more to come in the
// same packet or not.
func (e *events) pass(heard cluster.Event, more bool) error {
	out := e.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	var record body
	for _, s := range e.streams {
		if !slices.ContainsFunc(s.filters, func(f filter) bool { return f.matches(heard) }) {
			continue
		}
		if record == nil {
			record = e.record(heard)
		}
		if err := out.put(s.seq, "", record); err != nil {
			return sendError(err)
		}
	}
	if more {
		return nil
	}
	if err := out.buf.Flush(); err != nil {
		return sendError(err)
	}
	return nil
}

// ask notes a query that the client is about to hear of, and returns its ID.
func (e *events) ask(query cluster.Event) uint64 {
	e.next++
	if query.Answer == nil {
		return e.next
	}
	if len(e.questions) >= maxQuestion {
		now := time.Now()
		e.questions = slices.DeleteFunc(e.questions, func(q question) bool { return now.After(q.event.Deadline) })
		if len(e.questions) >= maxQuestion {
			e.questions = slices.Delete(e.questions, 0, 1)
		}
	}
	e.questions = append(e.questions, question{e.next, query})
	return e.next
}

// find returns the query of that ID, as long as it can be answered.
func (e *events) find(id uint64) (cluster.Event, bool) {
	if e == nil {
		return cluster.Event{}, false
	}
	e.conn.out.mu.Lock()
	defer e.conn.out.mu.Unlock()
	for _, q := range e.questions {
		if q.id == id && !time.Now().After(q.event.Deadline) {
			return q.event, true
		}
	}
	return cluster.Event{}, false
}

func (c *conn) respond(_ context.Context, q respondRequest) (any, error) {
	query, ok := c.events.find(q.ID)
	if !ok {
		return nil, refusal(errInvalidQueryID)
	}
	return nil, query.Respond(q.Payload)
}

func (c *conn) stop(_ context.Context, q stopRequest) (any, error) {
	c.events.end(q.Stop)
	if c.monitor != nil && c.monitor.seq == q.Stop {
		c.monitor.close()
		c.monitor = nil
	}
	return nil, nil
}
