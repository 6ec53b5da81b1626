// Package logs passes an agent's log on, keeps its last lines, and streams
// them to whoever watches, each at a level of its own; and it sends a log to
// syslog.
//
// How the agent's own log looks is the business of the handler that it is
// passed on to; how lines reach a watcher over the network is package rpc's.
package logs

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
)

// A Log is a slog.Handler that passes records on to another, keeps the last
// ones as lines, and streams them to subscriptions. Whoever logs never waits
// for a subscriber.
//
// A line is what Serf's monitor prints, without a newline:
//
//	2026/11/21 13:55:16 [INFO] cluster: joined members=3
//
// The time is local. The word before the colon is the attribute "source",
// "agent" where there is none. A line stays one line whatever was logged, and
// is cut at 4 KiB.
type Log struct {
	next slog.Handler
	text format
	hub  *hub
}

// A hub is what a Log shares with those derived from it.
type hub struct {
	least atomic.Int64 // the lowest level that a subscription wants

	mu   sync.Mutex
	kept []line // a ring; the oldest is at next once it is full
	keep int
	at   int // where the next line goes
	subs map[*Subscription]struct{}
}

type line struct {
	level slog.Level
	text  string
}

const nobody = math.MaxInt64

// New returns a Log that passes on to next and keeps the last lines, up to
// keep of them. Kept is what next is enabled for, and what subscribers wanted
// at the time.
func New(next slog.Handler, keep int) *Log {
	h := &hub{keep: keep, subs: map[*Subscription]struct{}{}}
	h.least.Store(nobody)
	return &Log{next: next, text: newFormat(), hub: h}
}

// Enabled reports whether next or a subscriber wants the level.
func (l *Log) Enabled(ctx context.Context, level slog.Level) bool {
	return int64(level) >= l.hub.least.Load() || l.next.Enabled(ctx, level)
}

// Handle keeps and streams a record, then passes it on.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	text, err := l.text.line(ctx, r)
	if err == nil {
		l.hub.add(line{r.Level, head(r) + text})
	}
	if l.next.Enabled(ctx, r.Level) {
		err = errors.Join(err, l.next.Handle(ctx, r))
	}
	return err
}

// WithAttrs returns a Log of the same lines and subscriptions.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Log{next: l.next.WithAttrs(attrs), text: l.text.withAttrs(attrs), hub: l.hub}
}

// WithGroup returns a Log of the same lines and subscriptions.
func (l *Log) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	return &Log{next: l.next.WithGroup(name), text: l.text.withGroup(name), hub: l.hub}
}

// add keeps a line and hands it to whoever wants it.
func (h *hub) add(l line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.kept) < h.keep:
		h.kept = append(h.kept, l)
	case h.keep > 0:
		h.kept[h.at] = l
		h.at = (h.at + 1) % h.keep
	}
	for s := range h.subs {
		if l.level < s.level {
			continue
		}
		select {
		case s.lines <- l.text:
		default:
			s.lost.Add(1)
		}
	}
}

// A Subscription is one watcher's stream of lines.
type Subscription struct {
	// C delivers the kept lines, oldest first, and then those logged since.
	// It is never closed.
	C <-chan string

	lines chan string
	level slog.Level
	lost  atomic.Uint64
	hub   *hub
}

// Subscribe starts a stream of all lines of at least a level. It holds size
// lines besides the kept ones for a reader that is behind; more are lost.
//
// Whoever passes lines on must not log at that level for each of them.
func (l *Log) Subscribe(level slog.Level, size int) *Subscription {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := make(chan string, max(size, 1)+len(h.kept))
	for i := range h.kept {
		if old := h.kept[(h.at+i)%len(h.kept)]; old.level >= level {
			lines <- old.text
		}
	}
	s := &Subscription{C: lines, lines: lines, level: level, hub: h}
	h.subs[s] = struct{}{}
	h.settle()
	return s
}

// Lost returns how many lines were not delivered for want of room.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the stream. It may be called twice.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subs, s)
	s.hub.settle()
}

// settle finds the lowest level that is wanted.
func (h *hub) settle() {
	least := int64(nobody)
	for s := range h.subs {
		least = min(least, int64(s.level))
	}
	h.least.Store(least)
}
