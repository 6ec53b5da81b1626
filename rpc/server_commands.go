package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"time"

	"muster/cluster"
)

// A command is what the server does for a request.
type command struct {
	// body says that the request has one.
	body bool
	// empty is the body of the answer when there is an error: where clients
	// expect a body, they do so after an error too. Nil if there is none.
	empty any
	// run does it, and answers.
	run func(c *conn, seq uint64, frame []byte) error
}

// nobody is no members, told apart from nil.
var nobody = membersResponse{Members: []wireMember{}}

var commands = map[string]command{
	cmdHandshake:       {body: true, run: asking(nil, (*conn).handshake)},
	cmdAuth:            {body: true, run: asking(nil, (*conn).auth)},
	cmdEvent:           {body: true, run: asking(nil, (*conn).event)},
	cmdForceLeave:      {body: true, run: asking(nil, (*conn).forceLeave)},
	cmdJoin:            {body: true, empty: joinResponse{}, run: asking(joinResponse{}, (*conn).join)},
	cmdMembers:         {empty: nobody, run: bare(nobody, (*conn).members)},
	cmdMembersFiltered: {body: true, empty: nobody, run: asking(nobody, (*conn).membersFiltered)},
	cmdTags:            {body: true, run: asking(nil, (*conn).tags)},
	cmdStream:          {body: true, run: (*conn).stream},
	cmdMonitor:         {body: true, run: (*conn).watchLog},
	cmdStop:            {body: true, run: asking(nil, (*conn).stop)},
	cmdLeave:           {run: bare(nil, (*conn).leave)},
	cmdQuery:           {body: true, run: (*conn).query},
	cmdRespond:         {body: true, run: asking(nil, (*conn).respond)},
	cmdInstallKey:      {body: true, empty: keyResponse{}, run: asking(keyResponse{}, keyed((*cluster.Node).InstallKey))},
	cmdUseKey:          {body: true, empty: keyResponse{}, run: asking(keyResponse{}, keyed((*cluster.Node).UseKey))},
	cmdRemoveKey:       {body: true, empty: keyResponse{}, run: asking(keyResponse{}, keyed((*cluster.Node).RemoveKey))},
	cmdListKeys:        {empty: keyResponse{}, run: bare(keyResponse{}, (*conn).listKeys)},
	cmdStats:           {empty: map[string]map[string]string{}, run: bare(map[string]map[string]string{}, (*conn).stats)},
	cmdGetCoordinate:   {body: true, empty: coordinateResponse{}, run: asking(coordinateResponse{}, (*conn).coordinate)},
}

// asking makes a command's run of a function that takes the request's body
// and returns the answer's.
func asking[Q any](empty any, do func(*conn, context.Context, Q) (any, error)) func(*conn, uint64, []byte) error {
	return func(c *conn, seq uint64, frame []byte) error {
		var q Q
		if err := decode(frame, &q); err != nil {
			return c.answer(seq, empty, err)
		}
		return bare(empty, func(c *conn, ctx context.Context) (any, error) { return do(c, ctx, q) })(c, seq, nil)
	}
}

// bare is asking for a command whose request has no body.
func bare(empty any, do func(*conn, context.Context) (any, error)) func(*conn, uint64, []byte) error {
	return func(c *conn, seq uint64, _ []byte) error {
		ctx, cancel := context.WithTimeout(c.ctx, c.server.RequestTimeout)
		defer cancel()
		answer, err := do(c, ctx)
		if answer == nil {
			answer = empty
		}
		return c.answer(seq, answer, err)
	}
}

// answer answers a request. The error that it returns ends the connection.
func (c *conn) answer(seq uint64, answer any, problem error) error {
	var ends endsConnection
	b, ready := answer.(body)
	if !ready && answer != nil {
		b = value(answer)
	}
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	if err := c.out.send(seq, text, b, nil); err != nil {
		return sendError(err)
	}
	if errors.As(problem, &ends) {
		return ends.why
	}
	return nil
}

// A refusal is an error in the words of Serf's agent, which clients compare.
type refusal string

func (r refusal) Error() string { return string(r) }

// An endsConnection is an error of a request after which there is no other.
type endsConnection struct {
	error
	why error
}

// dispatch reads the request's body, checks that the client may ask, and runs
// the command.
func (c *conn) dispatch(h requestHeader) error {
	cmd, found := commands[h.Command]
	var frame []byte
	if cmd.body {
		var err error
		if frame, err = c.in.next(); err != nil {
			if errors.Is(err, errFrame) {
				_ = c.answer(h.Seq, cmd.empty, err)
			}
			return c.readError(err)
		}
	}
	if !c.known.Load() {
		if c.early++; c.early > maxEarly {
			return errTooMuchEarly
		}
	}
	problem := ""
	switch {
	case !c.shook && h.Command != cmdHandshake:
		problem = errHandshakeRequired
	case !c.authentic && h.Command != cmdAuth && h.Command != cmdHandshake:
		problem = errAuthRequired
	case !found:
		problem = errUnsupportedCommand
	default:
		return cmd.run(c, h.Seq, frame)
	}
	c.unread = !found
	if err := c.out.send(h.Seq, problem, nil, nil); err != nil {
		return sendError(err)
	}
	return nil
}

func (c *conn) handshake(_ context.Context, q handshakeRequest) (any, error) {
	switch {
	case q.Version != version:
		return nil, refusal(errUnsupportedVersion)
	case c.shook:
		return nil, refusal(errDuplicateHandshake)
	}
	c.shook = true
	c.greet()
	return nil, nil
}

// maxWrong is how many wrong keys a connection may try.
const maxWrong = 3

func (c *conn) auth(ctx context.Context, q authRequest) (any, error) {
	if c.server.knows(q.AuthKey) {
		c.authentic = true
		c.greet()
		return nil, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(c.server.AuthDelay):
	}
	if c.wrong++; c.wrong >= maxWrong {
		return nil, endsConnection{refusal(errInvalidAuthToken), errTooManyKeys}
	}
	return nil, refusal(errInvalidAuthToken)
}

func (c *conn) event(ctx context.Context, q eventRequest) (any, error) {
	return nil, c.server.Node.Send(ctx, q.Name, q.Payload, q.Coalesce)
}

func (c *conn) forceLeave(ctx context.Context, q forceLeaveRequest) (any, error) {
	c.server.log.info("a client makes a member leave", "member", brief(q.Node), "prune", q.Prune)
	return nil, c.server.Node.ForceLeave(ctx, q.Node, q.Prune)
}

func (c *conn) join(ctx context.Context, q joinRequest) (any, error) {
	n, err := c.server.Node.JoinThrough(ctx, q.Existing, q.Replay)
	return joinResponse{Num: int32(min(n, math.MaxInt32))}, err
}

func (c *conn) tags(ctx context.Context, q tagsRequest) (any, error) {
	return nil, c.server.Node.SetTags(ctx, func(tags map[string]string) {
		for _, key := range q.DeleteTags {
			delete(tags, key)
		}
		maps.Copy(tags, q.Tags)
	})
}

func (c *conn) leave(context.Context) (any, error) {
	if c.server.Leave == nil {
		return nil, errors.New("this agent does not leave at a client's word")
	}
	c.server.log.info("a client makes this node leave")
	c.server.Leave()
	return nil, nil
}

// keyed is one of the commands that change keys everywhere.
func keyed(do func(*cluster.Node, context.Context, string) (cluster.KeyReport, error)) func(*conn, context.Context, keyRequest) (any, error) {
	return func(c *conn, ctx context.Context, q keyRequest) (any, error) {
		c.server.log.info("a client changes the cluster's keys")
		r, err := do(c.server.Node, ctx, q.Key)
		return keyAnswer(r), err // which members failed stands in the answer
	}
}

func (c *conn) listKeys(ctx context.Context) (any, error) {
	r, err := c.server.Node.ListKeys(ctx)
	return keyAnswer(r), err
}

func keyAnswer(r cluster.KeyReport) keyResponse {
	return keyResponse{Messages: r.Messages, Keys: r.Keys, NumNodes: r.Nodes, NumErr: r.Failed, NumResp: r.Answered}
}

func (c *conn) stats(context.Context) (any, error) {
	return c.server.Info(), nil
}

func (c *conn) coordinate(_ context.Context, q coordinateRequest) (any, error) {
	at, ok := c.server.Node.Coordinate(q.Node)
	if !ok {
		return coordinateResponse{}, nil
	}
	return coordinateResponse{Ok: true, Coord: wireCoordinate{at.Vec, at.Error, at.Adjustment, at.Height}}, nil
}

// sendError says why the client could not be sent something.
func sendError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTooSlow
	}
	return fmt.Errorf("cannot send to it: %w", err)
}
