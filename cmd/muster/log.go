package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"muster/config"
	"muster/logs"
)

// keptLines is how many lines of the log a monitor is told that begins later:
// as many as Serf's agent keeps.
const keptLines = 512

// An agentLog is an agent's log and what can be done with it.
type agentLog struct {
	*slog.Logger
	lines  *logs.Log      // for monitors
	level  *slog.LevelVar // of what is logged
	syslog *logs.Syslog   // nil: not asked for
}

// openLog logs as configured.
func openLog(w io.Writer, c config.Log) (*agentLog, error) {
	l := &agentLog{level: new(slog.LevelVar)}
	l.level.Set(c.Level)
	next := handler(w, c.Format, l.level)
	if c.Syslog.Enabled {
		var err error
		l.syslog, err = logs.OpenSyslog(logs.SyslogConfig{Facility: c.Syslog.Facility, Tag: "muster", Level: l.level})
		if err != nil {
			return nil, err
		}
		next = slog.NewMultiHandler(next, l.syslog)
	}
	l.lines = logs.New(next, keptLines)
	l.Logger = slog.New(l.lines)
	return l, nil
}

// close writes what waits to be written.
func (l *agentLog) close() {
	if l.syslog != nil {
		l.syslog.Close()
	}
}

// handler writes the log to w. Under systemd, lines of text carry their
// priority for the journal (sd-daemon(3)) and leave the time to it.
func handler(w io.Writer, format string, level slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	switch {
	case format == "json":
		return slog.NewJSONHandler(w, options)
	case os.Getenv("JOURNAL_STREAM") != "":
		return newJournalHandler(w, options)
	default:
		return slog.NewTextHandler(w, options)
	}
}

// A journalHandler prefixes every line of a text handler with its priority.
type journalHandler struct {
	slog.Handler
	line *journalLine
}

// A journalLine is where the text handler writes the line under way.
type journalLine struct {
	sync.Mutex
	bytes.Buffer
	w io.Writer
}

func newJournalHandler(w io.Writer, options *slog.HandlerOptions) journalHandler {
	line := &journalLine{w: w}
	withoutTime := *options
	withoutTime.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	return journalHandler{slog.NewTextHandler(&line.Buffer, &withoutTime), line}
}

// Handle writes one record.
func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.Lock()
	defer h.line.Unlock()
	h.line.Reset()
	h.line.WriteString(priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.line.w.Write(h.line.Bytes())
	return err
}

// WithAttrs and WithGroup keep the prefix.
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(attrs), h.line}
}

func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.line}
}

// priority is the syslog priority of a level.
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	default:
		return "<7>"
	}
}
