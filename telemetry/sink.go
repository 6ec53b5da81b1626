package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	metrics "github.com/hashicorp/go-metrics"
)

const (
	queued   = 4096                   // lines
	packet   = 1400                   // bytes of a datagram, as Serf's agent sends
	flush    = 100 * time.Millisecond // how often what is there is sent
	farewell = time.Second            // for the rest, at the end
)

// A sink is a metrics.MetricSink that writes lines "name:value|type" to a
// statsd (https://github.com/statsd/statsd/blob/master/docs/metric_types.md)
// or a statsite. Measuring never waits.
type sink struct {
	network, addr string
	log           *slog.Logger
	lines         chan string
	lost          atomic.Uint64
	patience      time.Duration // for a connection or a write, and between two attempts

	// The sender's own.
	conn    net.Conn
	buf     bytes.Buffer
	retry   time.Time // not before
	failing bool
}

func newSink(network, addr string, log *slog.Logger) *sink {
	return &sink{network: network, addr: addr, log: log, lines: make(chan string, queued), patience: 5 * time.Second}
}

func (s *sink) SetGauge(key []string, v float32)    { s.put(key, nil, float64(v), "g") }
func (s *sink) EmitKey(key []string, v float32)     { s.put(key, nil, float64(v), "kv") }
func (s *sink) IncrCounter(key []string, v float32) { s.put(key, nil, float64(v), "c") }
func (s *sink) AddSample(key []string, v float32)   { s.put(key, nil, float64(v), "ms") }
func (s *sink) SetGaugeWithLabels(key []string, v float32, labels []metrics.Label) {
	s.put(key, labels, float64(v), "g")
}
func (s *sink) IncrCounterWithLabels(key []string, v float32, labels []metrics.Label) {
	s.put(key, labels, float64(v), "c")
}
func (s *sink) AddSampleWithLabels(key []string, v float32, labels []metrics.Label) {
	s.put(key, labels, float64(v), "ms")
}

// put queues one measurement. Labels go into the name by their values, as in
// Serf's agent.
func (s *sink) put(key []string, labels []metrics.Label, v float64, kind string) {
	name := strings.Join(key, ".")
	for _, l := range labels {
		name += "." + l.Value
	}
	line := strings.Map(plain, name) + ":" + strconv.FormatFloat(v, 'f', 6, 64) + "|" + kind + "\n"
	select {
	case s.lines <- line:
	default:
		s.lost.Add(1)
	}
}

// plain keeps what has a meaning to statsd out of a name.
func plain(r rune) rune {
	if r <= ' ' || r == 0x7f || strings.ContainsRune(":|@#", r) {
		return '_'
	}
	return r
}

// run sends what is put until ctx is done, and then the rest.
func (s *sink) run(ctx context.Context) {
	tick := time.NewTicker(flush)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.finish()
			return
		case line := <-s.lines:
			s.add(ctx, line)
		case <-tick.C:
			s.send(ctx)
		}
	}
}

// finish sends what is left.
func (s *sink) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	for len(s.lines) > 0 && ctx.Err() == nil {
		s.add(ctx, <-s.lines)
	}
	s.send(ctx)
	if s.conn != nil {
		s.conn.Close()
	}
	if lost := s.lost.Load(); lost > 0 {
		s.log.Warn("measurements were lost", "to", s.addr, "count", lost)
	}
}

// add puts a line into the packet under way, and sends that when it is full.
func (s *sink) add(ctx context.Context, line string) {
	if s.buf.Len()+len(line) > packet {
		s.send(ctx)
	}
	s.buf.WriteString(line)
}

// send sends the packet under way, connecting first if need be. What cannot be
// sent is lost.
func (s *sink) send(ctx context.Context) {
	if s.buf.Len() == 0 {
		return
	}
	count := bytes.Count(s.buf.Bytes(), []byte("\n"))
	defer s.buf.Reset()
	if time.Now().Before(s.retry) {
		s.lost.Add(uint64(count))
		return
	}
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := s.write(limited)
	switch {
	case err == nil && s.failing:
		s.failing = false
		s.log.Info("measurements are taken again", "to", s.addr)
	case err != nil:
		s.lost.Add(uint64(count))
		s.retry = time.Now().Add(s.patience)
		if s.conn != nil {
			s.conn.Close()
			s.conn = nil
		}
		if !s.failing && ctx.Err() == nil {
			s.failing = true
			s.log.Warn("cannot send measurements, trying on", "error", err)
		}
	}
}

func (s *sink) write(ctx context.Context) (err error) {
	if s.conn == nil {
		if s.conn, err = new(net.Dialer).DialContext(ctx, s.network, s.addr); err != nil {
			return err
		}
	}
	conn := s.conn
	_ = conn.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Now()) })
	defer stop()
	_, err = conn.Write(s.buf.Bytes())
	return err
}
