package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 13, 55, 16, 0, time.Local)

// say logs one record at noon.
func say(h slog.Handler, level slog.Level, message string, args ...any) {
	r := slog.NewRecord(noon, level, message, 0)
	r.Add(args...)
	if h.Enabled(context.Background(), level) {
		if err := h.Handle(context.Background(), r); err != nil {
			panic(err)
		}
	}
}

// next takes all lines that a subscription holds.
func next(s *Subscription) []string {
	var out []string
	for {
		select {
		case line := <-s.C:
			out = append(out, line)
		default:
			return out
		}
	}
}

func text(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
}

func TestLines(t *testing.T) {
	l := New(slog.DiscardHandler, 0)
	s := l.Subscribe(LevelTrace, 100)
	defer s.Close()
	say(l, slog.LevelInfo, "joined", "members", 3, "source", "cluster")
	say(l, slog.LevelWarn, "plain")
	say(l, slog.LevelError, "bad\nnews \x1b[31m \"quoted\" a\\b", "error", fmt.Errorf("two\nlines"), "empty", "")
	say(l, LevelTrace, "t", "source", "a\nb")
	say(l, slog.LevelDebug, "own keys", "level", "x", "msg", "y", "time", "z")
	derived := l.WithAttrs([]slog.Attr{slog.String("rule", "web"), slog.String("source", "serf")})
	say(derived, slog.LevelInfo, "derived")
	say(derived.WithGroup("g").WithAttrs([]slog.Attr{slog.String("source", "inner")}), slog.LevelInfo, "grouped", "k", "v")
	say(l.WithGroup(""), slog.LevelInfo, "no group", "source", "still")
	say(l, slog.LevelInfo, strings.Repeat("ä", maxLine))
	got := next(s)
	const at = "2026/11/21 13:55:16 "
	want := []string{
		at + `[INFO] cluster: joined members=3`,
		at + `[WARN] agent: plain`,
		at + `[ERR] agent: bad\nnews \x1b[31m "quoted" a\b error="two\nlines" empty=""`,
		at + `[TRACE] a\nb: t`,
		at + `[DEBUG] agent: own keys level=x msg=y time=z`,
		at + `[INFO] serf: derived rule=web`,
		at + `[INFO] serf: grouped rule=web g.source=inner g.k=v`,
		at + `[INFO] still: no group`,
	}
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if last := got[len(got)-1]; len(last) > maxLine+len(at)+20 || !strings.HasSuffix(last, "ä…") {
		t.Errorf("%d bytes of a long line, ending %q", len(last), last[len(last)-10:])
	}
}

// Whatever is logged, a line is one line of printable text.
func TestOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New(slog.DiscardHandler, 1)
		s := l.Subscribe(LevelTrace, 1)
		defer s.Close()
		any := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		say(l.WithAttrs([]slog.Attr{slog.String(any.Draw(t, "k"), any.Draw(t, "v"))}).WithGroup(any.Draw(t, "group")),
			slog.LevelInfo, any.Draw(t, "message"), any.Draw(t, "key"), any.Draw(t, "value"), "source", any.Draw(t, "source"))
		for _, line := range next(s) {
			if bad := strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 }); bad >= 0 || !utf8.ValidString(line) {
				t.Fatalf("at %d of %q", bad, line)
			}
		}
	})
}

// The agent's own log goes on as if there were nobody else, and a subscriber
// sees levels that it leaves out.
func TestLevels(t *testing.T) {
	var own strings.Builder
	level := new(slog.LevelVar)
	l := New(text(&own, level), 10)
	say(l, slog.LevelDebug, "unheard")
	say(l, slog.LevelInfo, "one")
	say(l, slog.LevelError, "two")
	debug, errs := l.Subscribe(slog.LevelDebug, 10), l.Subscribe(slog.LevelError, 10)
	say(l, slog.LevelDebug, "three")
	say(l, LevelTrace, "four")
	say(l, slog.LevelError, "five")
	if !l.Enabled(t.Context(), slog.LevelDebug) || l.Enabled(t.Context(), LevelTrace) {
		t.Error("Enabled is not what the subscribers want")
	}
	debug.Close()
	debug.Close()
	errs.Close()
	if l.Enabled(t.Context(), slog.LevelDebug) || !l.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("Enabled is not what the agent's own log wants")
	}
	level.Set(slog.LevelDebug)
	if !l.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("a changed level has no effect")
	}
	say(l, slog.LevelError, "after the end")
	messages := func(lines []string) (out []string) {
		for _, line := range lines {
			out = append(out, line[strings.LastIndex(line, " ")+1:])
		}
		return out
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "five"}, messages(next(debug))); diff != "" {
		t.Errorf("debug (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"two", "five"}, messages(next(errs))); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got := strings.Count(own.String(), "msg="); got != 4 || strings.Contains(own.String(), "three") {
		t.Errorf("the agent's own log:\n%s", own.String())
	}
}

func TestKept(t *testing.T) {
	l := New(slog.DiscardHandler, 3)
	watch := l.Subscribe(slog.LevelInfo, 1)
	defer watch.Close()
	for i := range 8 {
		say(l, slog.LevelInfo, fmt.Sprint(i))
	}
	if got, lost := next(watch), watch.Lost(); len(got) != 1 || lost != 7 {
		t.Errorf("a subscriber that does not read got %q and lost %d", got, lost)
	}
	late := l.Subscribe(slog.LevelInfo, 1)
	defer late.Close()
	say(l, slog.LevelInfo, "8")
	var got []string
	for _, line := range next(late) {
		got = append(got, line[len(line)-1:])
	}
	if diff := cmp.Diff([]string{"5", "6", "7", "8"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// Subscriptions come and go while everybody logs; each sees its lines in order
// and accounts for all of them.
func TestConcurrent(t *testing.T) {
	l := New(text(io.Discard, slog.LevelInfo), 16)
	stop := make(chan struct{})
	var loggers, watchers sync.WaitGroup
	for g := range 4 {
		loggers.Go(func() {
			log := slog.New(l).With("g", g)
			for i := range 2000 {
				log.Info("line", "i", i)
			}
		})
	}
	for range 4 {
		watchers.Go(func() {
			for {
				s := l.Subscribe(LevelTrace, 4)
				for range 20 {
					select {
					case <-s.C:
					case <-stop:
						s.Close()
						return
					}
				}
				s.Close()
			}
		})
	}
	all := l.Subscribe(slog.LevelInfo, 100)
	loggers.Wait()
	close(stop)
	watchers.Wait()
	all.Close()
	if got := len(next(all)) + int(all.Lost()); got < 8000 || got > 8016 {
		t.Errorf("%d of 8000 lines accounted for", got)
	}
	if l.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("somebody is still thought to watch")
	}
}

func TestParseLevel(t *testing.T) {
	for in, want := range map[string]slog.Level{
		"": slog.LevelInfo, "TRACE": LevelTrace, "debug": slog.LevelDebug, "Info": slog.LevelInfo,
		"WARN": slog.LevelWarn, "warning": slog.LevelWarn, "ERR": slog.LevelError, "error": slog.LevelError,
	} {
		if got, err := ParseLevel(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
		if again, err := ParseLevel(LevelName(want)); err != nil || again != want {
			t.Errorf("%s is not read back: %v, %v", LevelName(want), again, err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || err.Error() != `there is no log level "loud"; it is trace, debug, info, warn or err` {
		t.Error(err)
	}
}
