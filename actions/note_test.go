package actions

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rules"
	"muster/timeline"
)

// How each action ended is on the timeline; no payload, and nothing that a
// command printed.
func TestActionsAreOnTheTimeline(t *testing.T) {
	past := timeline.New(100)
	b := open(t, `
rule "log" {
  on  = ["user:log"]
  run { command = ["sh", "-c", "echo s3cret; cat >>DIR/out; test ! -e DIR/bad"] }
}
rule "signed" {
  on        = ["user:signed"]
  signature = "required"
  run { command = ["true"] }
}`, func(c *Config) { c.Timeline = past })
	handler := line(t, "query:who=echo s3cret; exit 3")
	b.Use(Set{Rules: b.set.Rules, Handlers: []rules.Handler{handler}})
	b.start()
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 1, "s3cret"))
	b.eventually("acted", func() bool { return past.Last() == 1 })
	write(t, b.dir+"/bad", "")
	b.Hear(user("log", 2, "s3cret"))
	b.Hear(user("signed", 3, "s3cret"))
	b.Hear(cluster.Event{Type: cluster.EventQuery, Name: "who", LTime: 4, Payload: []byte("s3cret")})
	b.eventually("told", func() bool { return past.Last() == 4 })
	var got []string
	for _, e := range past.After(0, 0) {
		if e.Kind != timeline.Action || strings.Contains(strings.ReplaceAll(e.Text, handler.Line, ""), "s3cret") {
			t.Errorf("%+v", e)
		}
		text := e.Rule + ": " + e.Text
		if e.Bad {
			text = "! " + text
		}
		got = append(got, text)
	}
	slices.Sort(got)
	want := []string{
		"! : handler " + handler.Line + ": acting on query:who (4) failed: exit status 3",
		"! log: acting on user:log (2) failed: exit status 1",
		"! signed: user:signed (3) is refused: its signature is missing, too old or not a trusted one",
		"log: acted on user:log (1)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
