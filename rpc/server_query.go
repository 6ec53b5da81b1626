package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"muster/cluster"
)

// maxQueries is how many queries a connection may have under way.
const maxQueries = 64

// query asks the cluster and sends the answers as they come.
func (c *conn) query(seq uint64, frame []byte) error {
	var q queryRequest
	if err := decode(frame, &q); err != nil {
		return c.answer(seq, nil, err)
	}
	if c.queries.Load() >= maxQueries {
		return c.answer(seq, nil, fmt.Errorf("more than %d queries under way on one connection", maxQueries))
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.server.RequestTimeout)
	defer cancel()
	answers, err := c.server.Node.Query(ctx, cluster.Query{
		Name: q.Name, Payload: q.Payload, Nodes: q.FilterNodes, Tags: q.FilterTags,
		Ack: q.RequestAck, Relay: q.RelayFactor, Timeout: time.Duration(q.Timeout),
	})
	if err != nil {
		return c.answer(seq, nil, err)
	}
	if err := c.out.send(seq, "", nil, nil); err != nil {
		answers.Close()
		return sendError(err)
	}
	c.queries.Add(1)
	c.follows.Add(1)
	c.follow(func() error {
		defer c.queries.Add(-1)
		defer c.follows.Add(-1)
		defer answers.Close()
		return c.passAnswers(seq, answers)
	})
	return nil
}

func (c *conn) passAnswers(seq uint64, answers *cluster.Answers) error {
	for {
		a, err := answers.Next(c.ctx)
		record := queryRecord{Type: recordResponse, From: a.From, Payload: a.Payload}
		switch {
		case errors.Is(err, io.EOF):
			record = queryRecord{Type: recordDone}
		case err != nil:
			return err
		case a.Ack:
			record = queryRecord{Type: recordAck, From: a.From}
		}
		if err := c.out.send(seq, "", value(record), nil); err != nil {
			return sendError(err)
		}
		if record.Type == recordDone {
			return nil
		}
	}
}
