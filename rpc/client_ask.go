package rpc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// A request is one thing to ask the agent for.
type request struct {
	command  string
	body     any           // nil: none
	kind     answerKind    // of the answer
	answer   any           // where the answer's body goes
	feed     feed          // what takes the records that follow; nil: none do
	patience time.Duration // beyond the client's time-out
}

// ask sends r and waits for the answer; the number is what records of it are
// marked with.
func (c *Client) ask(ctx context.Context, r request) (seq uint64, err error) {
	limit := c.timeout + r.patience
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		fmt.Errorf("the Serf agent at %s has not answered within %s", c.addr, limit))
	defer cancel()
	call := &call{kind: r.kind, feed: r.feed, reply: make(chan reply, 1)}
	seq, err = c.register(call)
	if err != nil {
		return 0, err
	}
	frame, err := encode(requestHeader{Command: r.command, Seq: seq}, r.body)
	if err != nil {
		c.forget(seq)
		return 0, err
	}
	select {
	case c.out <- outgoing{ctx, frame}:
	case <-ctx.Done():
		c.forget(seq)
		return 0, context.Cause(ctx)
	case <-c.done:
		return 0, c.Err()
	}
	select {
	case got := <-call.reply:
		return seq, c.judge(got, r)
	case <-ctx.Done():
		if r.feed != nil {
			c.stop(seq)
		}
		return 0, context.Cause(ctx)
	case <-c.done:
		select {
		case got := <-call.reply: // it came just before the end
			return seq, c.judge(got, r)
		default:
			return 0, c.Err()
		}
	}
}

// register gives a call its number.
func (c *Client) register(call *call) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if len(c.waiting) == maxWaiting {
		return 0, fmt.Errorf("the Serf agent at %s has left %d requests without an answer", c.addr, maxWaiting)
	}
	c.seq++
	c.waiting[c.seq] = call
	return c.seq, nil
}

// forget gives up a call that was not sent.
func (c *Client) forget(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, seq)
}

// stop ends a stream on both sides, without waiting for the agent's word on
// it. What was on its way is dropped by the reader.
func (c *Client) stop(seq uint64) {
	c.ignore(seq)
	c.mu.Lock()
	c.seq++
	number := c.seq
	c.mu.Unlock()
	frame, err := encode(requestHeader{Command: cmdStop, Seq: number}, stopRequest{Stop: seq})
	if err != nil {
		return // a number and a number can be encoded
	}
	late := time.NewTimer(c.timeout)
	defer late.Stop()
	select {
	case c.out <- outgoing{context.Background(), frame}:
	case <-c.done:
	case <-late.C:
	}
}

// ignore drops the records of a stream from now on.
func (c *Client) ignore(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call, ok := c.waiting[seq]; ok {
		call.feed = nil
	}
	delete(c.feeds, seq)
}

// judge turns the agent's answer into a result.
func (c *Client) judge(got reply, r request) error {
	if err := c.outside(got.problem); err != nil {
		c.fail(err)
		return err
	}
	if r.kind != headerOnly && got.body != nil {
		if err := decode(got.body, r.answer); err != nil {
			return fmt.Errorf("cannot understand the Serf agent at %s: %w", c.addr, err)
		}
	} else if r.kind != headerOnly && got.problem == "" {
		return fmt.Errorf("cannot understand the Serf agent at %s: its answer has no body", c.addr)
	}
	if got.problem != "" {
		return &saidError{c.addr, got.problem}
	}
	return nil
}

// A saidError is what the agent answered instead of doing what it was asked.
type saidError struct{ addr, problem string }

func (e *saidError) Error() string {
	return fmt.Sprintf("the Serf agent at %s says: %s", e.addr, oneLine(e.problem))
}

// said reports whether err is the agent's word for a problem.
func said(err error, problem string) bool {
	var s *saidError
	return errors.As(err, &s) && s.problem == problem
}

// encode returns a header and a body, if there is one, as they are sent.
func encode(header requestHeader, body any) ([]byte, error) {
	var out []byte
	e := codec.NewEncoderBytes(&out, newHandle())
	if err := e.Encode(header); err != nil {
		return nil, err
	}
	frame := out
	if body == nil {
		return frame, nil
	}
	var rest []byte
	e.ResetBytes(&rest)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return append(frame, rest...), nil
}

// oneLine makes somebody else's words fit into a line.
func oneLine(s string) string {
	const most = 500
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = s[:most] + "…"
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
