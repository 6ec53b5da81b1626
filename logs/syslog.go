package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A SyslogConfig says how to reach the local syslog, and as whom.
type SyslogConfig struct {
	Facility string       // as ParseFacility takes it; empty: LOCAL0, Serf's default
	Tag      string       // the program's name in the log
	Path     string       // of the daemon's socket; empty: where it usually is
	Level    slog.Leveler // what goes there; nil: info and above
}

// A Syslog is a slog.Handler that writes to the local syslog daemon (RFC 3164
// as it is spoken on /dev/log). A daemon that goes away or does not read never
// holds up who logs: lines that find no room are counted, and the count is
// logged when the daemon is back.
type Syslog struct {
	text format
	out  *syslogWriter
}

const (
	syslogQueue = 1024        // lines
	syslogWait  = time.Second // for one line to be taken, between two attempts to connect, and to finish at the end
)

// syslogPaths are where daemons listen, as in the standard library's package.
var syslogPaths = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// A syslogWriter owns the connection. One goroutine writes.
type syslogWriter struct {
	c        SyslogConfig
	facility int
	paths    []string
	queue    chan string
	lost     atomic.Uint64
	stop     chan struct{}
	once     sync.Once
	done     sync.WaitGroup

	conn  net.Conn // the goroutine's own
	tried time.Time
}

// OpenSyslog connects to the daemon; one that is not there is an error. The
// caller closes the Syslog when nothing logs any more.
func OpenSyslog(c SyslogConfig) (*Syslog, error) {
	facility, err := ParseFacility(c.Facility)
	if err != nil {
		return nil, err
	}
	w := &syslogWriter{c: c, facility: facility, paths: syslogPaths, queue: make(chan string, syslogQueue), stop: make(chan struct{})}
	if c.Path != "" {
		w.paths = []string{c.Path}
	}
	if c.Level == nil {
		w.c.Level = slog.LevelInfo
	}
	if err := w.dial(); err != nil {
		return nil, fmt.Errorf("cannot log to syslog: %w; start a syslog daemon, or leave out enable_syslog", err)
	}
	w.done.Go(w.run)
	return &Syslog{text: newFormat(), out: w}, nil
}

// Close writes what is waiting, for at most two seconds, and disconnects.
func (s *Syslog) Close() error {
	s.out.once.Do(func() { close(s.out.stop) })
	s.out.done.Wait()
	return nil
}

// Enabled reports whether the level goes to syslog.
func (s *Syslog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= s.out.c.Level.Level()
}

// Handle queues a record.
func (s *Syslog) Handle(ctx context.Context, r slog.Record) error {
	text, err := s.text.line(ctx, r)
	if err != nil {
		return err
	}
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	select {
	case s.out.queue <- s.out.message(r.Level, at, text):
	default:
		s.out.lost.Add(1)
	}
	return nil
}

// WithAttrs returns a handler of the same connection.
func (s *Syslog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Syslog{text: s.text.withAttrs(attrs), out: s.out}
}

// WithGroup returns a handler of the same connection.
func (s *Syslog) WithGroup(name string) slog.Handler {
	return &Syslog{text: s.text.withGroup(name), out: s.out}
}

// message is a line as the daemon expects it on its socket: without a host.
func (w *syslogWriter) message(level slog.Level, at time.Time, text string) string {
	return fmt.Sprintf("<%d>%s %s[%d]: %s\n", w.facility<<3|severity(level), at.Format(time.Stamp), w.c.Tag, os.Getpid(), text)
}

// severity is what Serf gives a level at syslog: TRACE is debug, DEBUG info,
// INFO notice, WARN warning, ERR error.
func severity(level slog.Level) int {
	switch {
	case level < slog.LevelDebug:
		return 7
	case level < slog.LevelInfo:
		return 6
	case level < slog.LevelWarn:
		return 5
	case level < slog.LevelError:
		return 4
	}
	return 3
}

// run writes what is queued until it is told to stop, and then the rest.
func (w *syslogWriter) run() {
	defer func() {
		if w.conn != nil {
			w.conn.Close()
		}
	}()
	for {
		select {
		case m := <-w.queue:
			w.write(m)
		case <-w.stop:
			for end := time.Now().Add(syslogWait); time.Now().Before(end); {
				select {
				case m := <-w.queue:
					w.write(m)
				default:
					return
				}
			}
			return
		}
	}
}

// write writes one message, connecting anew at most once a second.
func (w *syslogWriter) write(m string) {
	if w.send(m) != nil && (time.Since(w.tried) < syslogWait || w.dial() != nil || w.send(m) != nil) {
		w.lost.Add(1)
		return
	}
	if lost := w.lost.Swap(0); lost > 0 {
		if w.send(w.message(slog.LevelWarn, time.Now(), fmt.Sprintf("agent: lines did not reach syslog count=%d", lost))) != nil {
			w.lost.Add(lost)
		}
	}
}

// send writes to the connection; one that fails is given up.
func (w *syslogWriter) send(m string) error {
	if w.conn == nil {
		return net.ErrClosed
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(syslogWait))
	_, err := w.conn.Write([]byte(m))
	if err != nil {
		w.conn.Close()
		w.conn = nil
	}
	return err
}

// dial connects to the first socket that answers.
func (w *syslogWriter) dial() error {
	w.tried = time.Now()
	var errs []error
	for _, path := range w.paths {
		for _, network := range []string{"unixgram", "unix"} {
			conn, err := net.DialTimeout(network, path, syslogWait)
			if err == nil {
				w.conn = conn
				return nil
			}
			errs = append(errs, err)
		}
	}
	return fmt.Errorf("no daemon answers at %s: %w", strings.Join(w.paths, ", "), cause(errs))
}

// cause is why the first of several paths failed.
func cause(errs []error) error {
	if oe, ok := errors.AsType[*net.OpError](errs[0]); ok {
		return oe.Err
	}
	return errs[0]
}

// facilities are the names of syslog's facilities, by number (RFC 3164, 4.1.1).
var facilities = []string{
	"KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
	"", "", "", "", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7",
}

// ParseFacility returns the number of a facility by its name, in any case;
// empty means LOCAL0.
func ParseFacility(name string) (int, error) {
	if name == "" {
		name = "LOCAL0"
	}
	i := slices.Index(facilities, strings.ToUpper(name))
	if i < 0 {
		return 0, fmt.Errorf("syslog has no facility %q; it is one of %s", name, strings.Join(slices.DeleteFunc(slices.Clone(facilities), func(s string) bool { return s == "" }), ", "))
	}
	return i, nil
}
