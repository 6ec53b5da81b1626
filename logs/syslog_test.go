package logs

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// daemon listens where a syslog daemon would.
func daemon(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// take reads messages until one has a word, and returns them without their pid.
func take(t *testing.T, c *net.UnixConn, word string) []string {
	t.Helper()
	var out []string
	buf := make([]byte, 64<<10)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("nothing has %q: %v", word, err)
		}
		out = append(out, regexp.MustCompile(`\[\d+\]: `).ReplaceAllString(string(buf[:n]), "[PID]: "))
		if strings.Contains(out[len(out)-1], word) {
			return out
		}
	}
}

func open(t *testing.T, c SyslogConfig) *Syslog {
	t.Helper()
	s, err := OpenSyslog(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := daemon(t, path)
	level := new(slog.LevelVar)
	s := open(t, SyslogConfig{Facility: "local3", Tag: "muster", Path: path, Level: level})
	say(s, slog.LevelDebug, "not said")
	say(s, slog.LevelInfo, "joined", "members", 3, "source", "cluster")
	level.Set(LevelTrace)
	say(s.WithAttrs([]slog.Attr{slog.String("rule", "web")}).WithGroup("g"), LevelTrace, "t\n<0>Jan forged", "k", "v")
	say(s, slog.LevelDebug, "d")
	say(s, slog.LevelWarn, "w")
	say(s, slog.LevelError, "last")
	want := []string{
		"<157>Nov 21 13:55:16 muster[PID]: cluster: joined members=3\n",
		"<159>Nov 21 13:55:16 muster[PID]: agent: t\\n<0>Jan forged rule=web g.k=v\n",
		"<158>Nov 21 13:55:16 muster[PID]: agent: d\n",
		"<156>Nov 21 13:55:16 muster[PID]: agent: w\n",
		"<155>Nov 21 13:55:16 muster[PID]: agent: last\n",
	}
	if diff := cmp.Diff(want, take(t, d, "last")); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestSyslogIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_, err := OpenSyslog(SyslogConfig{Path: path})
	if want := "cannot log to syslog: no daemon answers at " + path + ": connect: no such file or directory; start a syslog daemon, or leave out enable_syslog"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	daemon(t, path)
	_, err = OpenSyslog(SyslogConfig{Path: path, Facility: "LOCAL9"})
	if err == nil || !strings.HasPrefix(err.Error(), `syslog has no facility "LOCAL9"; it is one of KERN, USER, `) {
		t.Error(err)
	}
}

// A daemon that does not read and then goes away holds nobody up; what was
// lost is told to the one that comes after it.
func TestSyslogGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	deaf := daemon(t, path)
	s := open(t, SyslogConfig{Tag: "muster", Path: path})
	const lines = 3 * syslogQueue
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range lines {
			say(s, slog.LevelInfo, fmt.Sprint(i))
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a daemon that does not read blocks who logs")
	}
	if s.out.lost.Load() == 0 {
		t.Fatalf("%d lines fit nowhere, and none is counted", lines)
	}
	deaf.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d := daemon(t, path)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				say(s, slog.LevelInfo, "again")
			}
		}
	}()
	got := take(t, d, "did not reach syslog")
	if last := got[len(got)-1]; !regexp.MustCompile(`^<132>.*agent: lines did not reach syslog count=\d+\n$`).MatchString(last) {
		t.Errorf("got %q", last)
	}
}

// What is queued at the end is written.
func TestSyslogClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := daemon(t, path)
	s := open(t, SyslogConfig{Tag: "muster", Path: path})
	for i := range 5 {
		say(s, slog.LevelInfo, fmt.Sprint("line", i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := take(t, d, "line4"); len(got) != 5 {
		t.Errorf("got %q", got)
	}
	say(s, slog.LevelInfo, "too late") // no panic
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A daemon that listens on a stream.
func TestSyslogStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := open(t, SyslogConfig{Tag: "muster", Path: path})
	say(s, slog.LevelInfo, "one")
	s.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil || !strings.HasSuffix(string(buf[:n]), "agent: one\n") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
