package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"muster/logs"
)

// maxLogBehind is how many lines a monitor may be behind before some are lost.
const maxLogBehind = 512

// A monitor is a connection's stream of the log.
type monitor struct {
	conn *conn
	seq  uint64
	sub  *logs.Subscription
	stop context.CancelFunc
}

// watchLog begins the monitor.
func (c *conn) watchLog(seq uint64, frame []byte) error {
	var q monitorRequest
	if err := decode(frame, &q); err != nil {
		return c.answer(seq, nil, err)
	}
	level, err := logs.ParseLevel(q.LogLevel)
	switch {
	case err != nil:
		return c.answer(seq, nil, refusal(errUnknownLevel+strings.ToUpper(brief(q.LogLevel))))
	case c.server.Logs == nil:
		return c.answer(seq, nil, errors.New("this agent's log cannot be watched"))
	case c.monitor != nil:
		return c.answer(seq, nil, refusal(errMonitorExists))
	}
	ctx, cancel := context.WithCancel(c.ctx)
	m := &monitor{conn: c, seq: seq, sub: c.server.Logs.Subscribe(level, maxLogBehind), stop: cancel}
	c.monitor = m
	c.follows.Add(1)
	if err := c.out.send(seq, "", nil, nil); err != nil {
		return sendError(err)
	}
	c.follow(func() error { return m.pump(ctx) })
	return nil
}

func (m *monitor) pump(ctx context.Context) error {
	var told uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-m.sub.C:
			if err := m.send(ctx, line); err != nil {
				return err
			}
			if lost := m.sub.Lost(); lost > told {
				line := fmt.Sprintf("%s [WARN] rpc: lines lost on the way to this monitor: %d", time.Now().Format("2006/01/02 15:04:05"), lost-told)
				if err := m.send(ctx, line); err != nil {
					return err
				}
				told = lost
			}
		}
	}
}

// send sends a line, unless the monitor was ended meanwhile.
func (m *monitor) send(ctx context.Context, line string) error {
	out := m.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	err := out.put(m.seq, "", func(w *bufio.Writer) error {
		_, err := w.Write(appendString(appendString(appendMap(w.AvailableBuffer(), 1), "Log"), line))
		return err
	})
	if err == nil && len(m.sub.C) == 0 {
		err = out.buf.Flush()
	}
	if err != nil {
		return sendError(err)
	}
	return nil
}

func (m *monitor) close() {
	if m == nil {
		return
	}
	m.stop()
	m.sub.Close()
	m.conn.follows.Add(-1)
}
