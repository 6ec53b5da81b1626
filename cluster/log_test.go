package cluster

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// record strips the time off a text record.
func records(t *testing.T, lines ...string) []string {
	t.Helper()
	var out bytes.Buffer
	l := newSerfLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), func(string) {})
	for _, line := range lines {
		l.Printf("%s", line)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestSerfLogLevels(t *testing.T) {
	for line, want := range map[string]string{
		"[DEBUG] memberlist: Stream connection from=1.2.3.4:5": `level=DEBUG msg="Stream connection from=1.2.3.4:5" source=memberlist`,
		"[TRACE] serf: x":           `level=DEBUG msg=x source=serf`,
		"[INFO] serf: joined":       `level=INFO msg=joined source=serf`,
		"[WARN] serf: odd":          `level=WARN msg=odd source=serf`,
		"[ERR] serf: bad":           `level=ERROR msg=bad source=serf`,
		"[ERROR] memberlist: worse": `level=ERROR msg=worse source=memberlist`,
		"Err: no prefix":            `level=INFO msg="Err: no prefix" source=serf`,
		"[":                         `level=INFO msg=[ source=serf`,
		"":                          `level=INFO msg="" source=serf`,
	} {
		if got := records(t, line); len(got) != 1 || got[0] != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

// A member's name or payload cannot end a record and begin another, in any
// handler.
func TestSerfLogIsOneLine(t *testing.T) {
	for _, evil := range []string{"a\nlevel=ERROR msg=forged", "a\r\n[ERR] b", "a\x1b[2J", "a\u2028b", "a\x00b", "a\x85b"} {
		got := records(t, "[WARN] serf: name "+evil)
		if len(got) != 1 || !strings.HasPrefix(got[0], "level=WARN ") {
			t.Errorf("%q becomes %q", evil, got)
		}
		if s := oneLine(evil, 100); strings.ContainsAny(s, "\n\r\x1b\x00\u2028\u0085") {
			t.Errorf("oneLine leaves %q", s)
		}
	}
	if got := oneLine(`say "hi" \ there`, 100); got != `say "hi" \\ there` && got != `say "hi" \ there` {
		t.Errorf("oneLine gives %q", got)
	}
	if got := oneLine(strings.Repeat("x", 5000), 100); len(got) > 110 {
		t.Errorf("%d bytes are kept", len(got))
	}
}

func TestSerfLogIsBounded(t *testing.T) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = "[ERR] memberlist: flood"
	}
	// A second may pass under way and let another batch through.
	if got := len(records(t, lines...)); got < maxLogRate || got > 3*maxLogRate {
		t.Errorf("%d records of 1000 lines", got)
	}
}

func TestSerfLogSkipsRefusals(t *testing.T) {
	if got := records(t, "[WARN] memberlist: ignoring alive message for 'x\ny': bad"); got[0] != "" {
		t.Errorf("logged %q", got)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("[WARN] serf: x\ny")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range oneLine(s, maxLogLine) {
			if r < ' ' || r == 0x7f {
				t.Fatalf("%q keeps %q", s, r)
			}
		}
	})
}
