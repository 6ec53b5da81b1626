package actions

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// hostileValues reads the values of the templates' injection matrix.
func hostileValues(t *testing.T) (values []string) {
	t.Helper()
	text, err := os.ReadFile("../templates/testdata/hostile.values")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		n := 1
		if line[0] != '"' {
			times, quoted, _ := strings.Cut(line, " * ")
			if n, err = strconv.Atoi(times); err != nil {
				t.Fatal(err)
			}
			line = quoted
		}
		v, err := strconv.Unquote(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values = append(values, strings.Repeat(v, n))
	}
	if len(values) < 60 {
		t.Fatalf("only %d values", len(values))
	}
	return values
}

// inExpression is v as it comes out of an expression: HCL's texts are in
// Unicode's composed form (NFC).
func inExpression(v string) string { return strings.ReplaceAll(v, "e\u0301", "é") }

// argued are the rows of the matrix for commands: a rule that says what the
// event brings wherever a rule may, and a command that prints all it is given.
const argued = `
rule "r" {
  on = ["user:x", "member-join"]
  run {
    command = ["sh", "-c", "{ printf '%s\\0' $# \"$@\" \"$V\" \"$W\" \"$SERF_EVENT\"; cat; printf '\\0(end)\\0'; } >>DIR/out", "sh", SAID, "a ${SAID} b", "end"]
    env     = { V = SAID, W = "-${SAID}-" }
    stdin   = "payload"
  }
  send {
    event   = "next"
    payload = SAID
  }
}`

// TestMatrixOfCommands proves that each hostile value, be it a payload, a name or
// a tag, reaches a command as one argument, as the value of one variable, or as
// the bytes of its input, and the next event as its payload; or that the action
// fails. It becomes neither another argument, nor a command, nor a line of the log.
func TestMatrixOfCommands(t *testing.T) {
	values := hostileValues(t)
	for said, hear := range map[string]func(i int, v string) cluster.Event{
		"event.payload": func(i int, v string) cluster.Event { return user("x", uint64(i+1), v) },
		"member.name": func(_ int, v string) cluster.Event {
			return cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{{Name: v, Addr: netip.MustParseAddr("10.0.0.9"), Status: cluster.Alive}}}
		},
		"member.tags.x": func(i int, v string) cluster.Event {
			return cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{member(fmt.Sprint("m", i), map[string]string{"x": v})}}
		},
	} {
		t.Run(said, func(t *testing.T) {
			var sent []string
			b := open(t, strings.ReplaceAll(argued, "SAID", said), func(c *Config) {
				c.Send = func(_ context.Context, name string, payload []byte) error {
					sent = append(sent, name, string(payload))
					return nil
				}
			}).start()
			b.Look(view(member("n", nil)))
			var ran, next []string
			failed := 0
			for i, v := range values {
				e := hear(i, v)
				b.Hear(e)
				b.idle("r") // the queue is bounded
				if strings.Contains(v, "\x00") {
					failed++ // no argument can have it
					continue
				}
				got := inExpression(v)
				ran = append(ran, "3", got, "a "+got+" b", "end", got, "-"+got+"-", e.Type, string(e.Payload), "(end)")
				next = append(next, "next", got)
			}
			s := b.idle("r")
			if s.Failed != uint64(failed) || s.Run != uint64(len(values)) || failed == 0 {
				t.Errorf("%d values, of which %d can be no argument: %+v", len(values), failed, s)
			}
			if diff := cmp.Diff(ran, strings.Split(strings.TrimSuffix(b.text("out"), "\x00"), "\x00")); diff != "" {
				t.Errorf("what the commands were given (-want +got):\n%.3000s", diff)
			}
			if diff := cmp.Diff(next, sent); diff != "" {
				t.Errorf("what was sent (-want +got):\n%.3000s", diff)
			}
			b.tells(t, s)
		})
	}
}

// tells checks that the log has one line for each record, and that it and the
// status are fit to be shown.
func (b *bench) tells(t *testing.T, s Status) {
	t.Helper()
	for line := range strings.Lines(b.log.String()) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "time=") || !printableText(line) {
			t.Errorf("a line of its own in the log: %q", line)
		}
	}
	if !printableText(s.Problem) || s.Last != nil && (!printableText(s.Last.Verdict) || !printableText(s.Last.Event)) {
		t.Errorf("a status that is not fit to be shown: %+v %+v", s, s.Last)
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if slices.Sort(names); !slices.Equal(names, []string{"out", "state"}) {
		t.Errorf("files of somebody else: %q", names)
	}
}

// printableText reports whether s is text without anything that a terminal acts on.
func printableText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// TestMatrixOfAnswers is the matrix for respond: an answer is the text, byte for
// byte, or what a command prints that was given it as an argument.
func TestMatrixOfAnswers(t *testing.T) {
	b := open(t, `
rule "text" {
  on = ["query:text"]
  respond { text = "is ${event.payload}" }
}
rule "command" {
  on = ["query:command"]
  respond { command = ["printf", "is %s", event.payload] }
}`).start()
	b.Look(view(member("n", nil)))
	for _, v := range hostileValues(t) {
		for _, name := range []string{"text", "command"} {
			answer := make(chan string, 1)
			b.Hear(cluster.Event{Type: cluster.EventQuery, Name: name, Payload: []byte(v), Answer: func(p []byte) error { answer <- string(p); return nil }})
			s := b.idle(name)
			close(answer)
			got, answered := <-answer
			if want := "is " + inExpression(v); answered && got != want {
				t.Errorf("%s: %q was answered with %q", name, v, got)
			}
			if unfit := name == "command" && strings.Contains(v, "\x00"); answered == unfit {
				t.Errorf("%s: %q: answered %t, %+v", name, v, answered, s.Last)
			}
		}
	}
}

// TestMatrixOfEventNames is about names that events bring: in a line of Serf's
// environment, in the status and in the log, and as the name of the next event,
// where only what can be a name goes out.
func TestMatrixOfEventNames(t *testing.T) {
	var sent []string
	b := open(t, `
rule "r" {
  on = ["user"]
  run { command = ["sh", "-c", "printf '%s\\0' \"$SERF_USER_EVENT\" \"$1\" >>DIR/out", "sh", event.name] }
  send { event = event.payload }
}`, func(c *Config) {
		c.Send = func(_ context.Context, name string, _ []byte) error { sent = append(sent, name); return nil }
	}).start()
	b.Look(view(member("n", nil)))
	var want []string
	for i, v := range hostileValues(t) {
		b.Hear(user(v, uint64(i+1), v))
		s := b.idle("r")
		if !strings.Contains(v, "\x00") {
			want = append(want, v, inExpression(v))
		}
		b.tells(t, s)
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(b.text("out"), "\x00"), "\x00")); diff != "" {
		t.Errorf("what the commands were given (-want +got):\n%.3000s", diff)
	}
	for _, name := range sent {
		if name == "" || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
			t.Errorf("an event was sent that is called %q", name)
		}
	}
	if !slices.Contains(sent, "web-1") {
		t.Errorf("sent: %q", sent)
	}
}
