package cluster

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxLogLine = 1024 // bytes kept of one line of Serf's
	maxLogRate = 50   // lines of Serf's a second, and as many warnings
)

// A serfLog turns the lines of Serf's and memberlist's loggers into records:
// "[WARN] serf: text" becomes a warning of source serf. One line is one
// record whatever a member put into it, and a flood of them is cut off and
// counted.
type serfLog struct {
	log  *slog.Logger
	hear func(text string) // told every line's text

	mu      sync.Mutex
	second  time.Time // the current one began then
	lines   [2]int    // in it: the ordinary ones, and warnings and errors
	dropped int       // in it
}

// newSerfLog returns a standard logger, as Serf wants one, that writes to l
// and lets hear know what it says.
func newSerfLog(l *slog.Logger, hear func(text string)) *log.Logger {
	return log.New(&serfLog{log: l, hear: hear}, "", 0)
}

// skipped are beginnings of lines that this package says in its own words,
// once per sender or episode.
var skipped = []string{
	"ignoring alive message for ",
	"Conflicting address for ",
	"Name conflict for ",
	"Was able to connect to ",
}

func (w *serfLog) Write(line []byte) (int, error) {
	level, source, text := parseLine(line)
	w.hear(text)
	if !w.log.Enabled(context.Background(), level) {
		return len(line), nil
	}
	for _, s := range skipped {
		if strings.HasPrefix(text, s) {
			return len(line), nil
		}
	}
	pass, dropped := w.admit(level, time.Now())
	if dropped > 0 {
		w.log.Warn("too much to log", "source", "serf", "dropped", dropped)
	}
	if pass {
		w.log.Log(context.Background(), level, oneLine(text, maxLogLine), "source", source)
	}
	return len(line), nil
}

// admit reports whether another line may pass now, and how many did not in
// the second that has just ended.
func (w *serfLog) admit(level slog.Level, now time.Time) (pass bool, dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.second) >= time.Second {
		dropped = w.dropped
		w.second, w.lines, w.dropped = now, [2]int{}, 0
	}
	lines := &w.lines[0]
	if level >= slog.LevelWarn {
		lines = &w.lines[1]
	}
	if *lines >= maxLogRate {
		w.dropped++
		return false, dropped
	}
	*lines++
	return true, dropped
}

// parseLine splits "[LEVEL] source: text".
func parseLine(line []byte) (level slog.Level, source, text string) {
	line = bytes.TrimRight(line, "\n")
	level, source = slog.LevelInfo, "serf"
	if end := bytes.IndexByte(line, ']'); end > 1 && line[0] == '[' {
		switch string(line[1:end]) {
		case "TRACE", "DEBUG":
			level = slog.LevelDebug
		case "WARN":
			level = slog.LevelWarn
		case "ERR", "ERROR":
			level = slog.LevelError
		}
		line = bytes.TrimLeft(line[end+1:], " ")
	}
	text = string(line)
	for _, s := range []string{"serf", "memberlist"} {
		if rest, ok := strings.CutPrefix(text, s+": "); ok {
			return level, s, rest
		}
	}
	return level, source, text
}

// oneLine returns s with everything unprintable escaped, cut at n bytes.
func oneLine(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	q := strconv.Quote(s)
	if len(q) == len(s)+2 {
		return s
	}
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// quote returns s quoted and cut, fit for a log or an error.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}
