package rpc

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"muster/cluster"
)

// A Stream hands out the events that an agent hears, in the agent's order.
// Serf's own agent delays and coalesces them.
type Stream struct {
	c   *Client
	seq uint64
	q   *queue
}

// Stream asks for the events that filter means: "*" for all, or types as
// event handlers name them, "member-join,user:deploy".
func (c *Client) Stream(ctx context.Context, filter string) (*Stream, error) {
	q := newQueue(c.buffer)
	seq, err := c.ask(ctx, request{command: cmdStream, body: streamRequest{Type: filter}, feed: q})
	if said(err, errInvalidFilter) {
		return nil, fmt.Errorf("cannot stream events: %q names no type of events", filter)
	} else if err != nil {
		return nil, fmt.Errorf("cannot stream events: %w", err)
	}
	return &Stream{c: c, seq: seq, q: q}, nil
}

// Next waits for the next event. Once the stream has ended, it returns what
// had come until then, and afterwards why it ended. A query can be answered
// through Event.Answer, once and as long as its asker waits.
func (s *Stream) Next(ctx context.Context) (cluster.Event, error) {
	record, err := s.q.next(ctx)
	if err != nil {
		return cluster.Event{}, err
	}
	var r eventRecord
	if err := decode(record, &r); err != nil {
		return cluster.Event{}, fmt.Errorf("cannot understand an event of the Serf agent at %s: %w", s.c.addr, err)
	}
	return s.c.event(r), nil
}

// Lost returns how many events did not fit because Next was not called often
// enough. What got lost on the agent's side only its log knows.
func (s *Stream) Lost() uint64 { return s.q.missed() }

// Close ends the stream.
func (s *Stream) Close() {
	s.q.end(errClosed)
	s.c.stop(s.seq)
}

// event turns a record into an event.
func (c *Client) event(r eventRecord) cluster.Event {
	e := cluster.Event{Type: r.Event, Name: r.Name, Payload: r.Payload, LTime: r.LTime, Coalesce: r.Coalesce}
	if len(r.Members) > 0 {
		for _, m := range sortedMembers(r.Members) {
			e.Members = append(e.Members, m.Member)
		}
	}
	if r.Event == cluster.EventQuery {
		e.Answer = func(payload []byte) error {
			return c.tell(context.Background(), fmt.Sprintf("answer the query %q", r.Name), request{
				command: cmdRespond, body: respondRequest{ID: r.ID, Payload: payload},
			})
		}
	}
	return e
}

// A LogStream hands out what an agent logs.
type LogStream struct {
	c   *Client
	seq uint64
	q   *queue
}

// Monitor asks for the agent's log from a level on: TRACE, DEBUG, INFO, WARN
// or ERR. It begins with what the agent remembers. An agent allows one
// monitor per connection.
func (c *Client) Monitor(ctx context.Context, level string) (*LogStream, error) {
	q := newQueue(c.buffer)
	seq, err := c.ask(ctx, request{command: cmdMonitor, body: monitorRequest{LogLevel: level}, feed: q})
	if err != nil {
		return nil, fmt.Errorf("cannot follow the log: %w", err)
	}
	return &LogStream{c: c, seq: seq, q: q}, nil
}

// Next waits for the next line, which holds what the agent logged, unchecked.
func (l *LogStream) Next(ctx context.Context) (string, error) {
	record, err := l.q.next(ctx)
	if err != nil {
		return "", err
	}
	var r logRecord
	if err := decode(record, &r); err != nil {
		return "", fmt.Errorf("cannot understand the log of the Serf agent at %s: %w", l.c.addr, err)
	}
	return r.Log, nil
}

// Lost returns how many lines did not fit.
func (l *LogStream) Lost() uint64 { return l.q.missed() }

// Close ends the stream.
func (l *LogStream) Close() {
	l.q.end(errClosed)
	l.c.stop(l.seq)
}

// Answers hands out the answers to a query as they come.
type Answers struct {
	c   *Client
	seq uint64
	q   *queue
	ctx context.Context // ends when the agent is overdue with the end
	end context.CancelFunc
}

// overdue is how long after a query's time-out, or its start where Serf
// chooses that, the agent may take to say that it is over.
const overdue = time.Minute

// Query asks the members.
func (c *Client) Query(ctx context.Context, q cluster.Query) (*Answers, error) {
	answers := &Answers{c: c, q: newQueue(c.buffer)}
	seq, err := c.ask(ctx, request{
		command: cmdQuery, feed: answerFeed{answers.q}, patience: leavePatience,
		body: queryRequest{
			FilterNodes: q.Nodes, FilterTags: q.Tags, RequestAck: q.Ack, RelayFactor: q.Relay,
			Timeout: int64(q.Timeout), Name: q.Name, Payload: q.Payload,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask the query %q: %w", q.Name, err)
	}
	answers.seq = seq
	answers.ctx, answers.end = context.WithTimeoutCause(context.Background(), q.Timeout+overdue,
		fmt.Errorf("the Serf agent at %s has not said that the query is over", c.addr))
	return answers, nil
}

// An answerFeed ends with the record that says so.
type answerFeed struct{ *queue }

func (f answerFeed) put(record []byte) {
	var r queryRecord
	if decode(record, &r) == nil && r.Type == recordDone {
		f.end(io.EOF)
		return
	}
	f.queue.put(record)
}

// Next waits for the next answer; io.EOF means that the query is over.
func (a *Answers) Next(ctx context.Context) (cluster.Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.ctx, func() { cancel(context.Cause(a.ctx)) })()
	record, err := a.q.next(ctx)
	if err != nil {
		return cluster.Answer{}, err
	}
	var r queryRecord
	if err := decode(record, &r); err != nil {
		return cluster.Answer{}, fmt.Errorf("cannot understand an answer of the Serf agent at %s: %w", a.c.addr, err)
	}
	return cluster.Answer{From: r.From, Ack: r.Type == recordAck, Payload: r.Payload}, nil
}

// Lost returns how many answers did not fit.
func (a *Answers) Lost() uint64 { return a.q.missed() }

// Close gives up what has not come yet. It must be called.
func (a *Answers) Close() {
	a.end()
	a.q.end(errClosed)
	a.c.ignore(a.seq)
}

// sortedMembers turns members of the wire into ours, sorted by name.
func sortedMembers(ms []wireMember) []Member {
	out := make([]Member, len(ms))
	for i := range ms {
		out[i] = ms[i].member()
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (m *wireMember) member() Member {
	addr, _ := netip.AddrFromSlice(m.Addr)
	return Member{
		Member: cluster.Member{
			Name: m.Name, Addr: addr.Unmap(), Port: m.Port, Status: cluster.Status(m.Status), Tags: m.Tags,
		},
		Versions: cluster.Versions{
			ProtocolMin: m.ProtocolMin, ProtocolMax: m.ProtocolMax, ProtocolCur: m.ProtocolCur,
			DelegateMin: m.DelegateMin, DelegateMax: m.DelegateMax, DelegateCur: m.DelegateCur,
		},
	}
}
