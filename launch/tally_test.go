package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/command"
	"muster/nodes"
)

// heard is the tally of a run on the nodes a, b and c, of lines as events.py
// writes them.
func heard(t interface{ Fatal(...any) }, lines ...string) *tally {
	var picked []nodes.Node
	for _, name := range []string{"a", "b", "c"} {
		picked = append(picked, node(name, 1, nil))
	}
	tally := newTally(Config{Choice: Choice{Picked: picked}})
	if err := tally.hear(strings.NewReader(strings.Join(lines, "\n") + theEnd)); err != nil {
		t.Fatal(err)
	}
	return tally
}

const (
	begins = `{"event":"start","check":false}`
	play   = `{"event":"play","play":"all","next_batch":false}`
	batch  = `{"event":"play","play":"all","next_batch":true}`
	recap  = `{"event":"stats","hosts":{"a":{"ok":1},"b":{"ok":1},"c":{"ok":1}}}`
)

func task(host, state string) string {
	return fmt.Sprintf(`{"event":"task","host":%q,"task":"t","state":%q,"why":"w"}`, host, state)
}

func finish(host string) string { return fmt.Sprintf(`{"event":"finished","host":%q}`, host) }

// What lines mean for a, b and c.
func TestOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []string
		res     command.Result
		stopped bool
		want    []State
	}{
		"all well": {[]string{begins, play, task("a", "ok"), task("b", "changed"), task("c", "ok"), finish("a"), finish("b"), finish("c"), recap},
			command.Result{}, false, []State{Succeeded, Succeeded, Succeeded}},
		"one fails, one is out of reach": {[]string{begins, play, task("a", "ok"), task("b", "failed"), task("c", "unreachable"), finish("a"),
			`{"event":"stats","hosts":{"a":{},"b":{"failures":1},"c":{"unreachable":1}}}`},
			command.Result{ExitCode: 2}, false, []State{Succeeded, Failed, Unreachable}},
		"rescued, ignored and skipped": {[]string{begins, play, task("a", "failed"), task("a", "ok"), task("b", "ignored"), task("b", "ok"), task("c", "skipped"),
			finish("a"), finish("b"), finish("c"), recap}, command.Result{}, false, []State{Succeeded, Succeeded, Untouched}},
		"not in the recap": {[]string{begins, play, task("a", "ok"), task("b", "ok"), finish("a"), finish("b"), finish("c"), `{"event":"stats","hosts":{"a":{}}}`},
			command.Result{}, false, []State{Succeeded, Unfinished, Untouched}},
		"the recap knows better": {[]string{begins, play, task("a", "ok"), finish("a"), `{"event":"stats","hosts":{"a":{"failures":1}}}`},
			command.Result{ExitCode: 2}, false, []State{Failed, Untouched, Untouched}},
		"stopped between batches": {[]string{begins, play, task("a", "ok"), batch, task("b", "ok"), `{"event":"task","host":"b","ta`},
			command.Result{Err: context.Canceled}, true, []State{Succeeded, Unfinished, Unfinished}},
		"a batch that failed is not over": {[]string{begins, play, task("a", "failed"), batch, task("b", "ok")},
			command.Result{Err: context.Canceled}, true, []State{Failed, Unfinished, Unfinished}},
		"a play of the first is no batch of the last": {[]string{begins, play, task("a", "ok"), play, task("b", "ok")},
			command.Result{TimedOut: true}, false, []State{Unfinished, Unfinished, Unfinished}},
		"only checked": {[]string{`{"event":"start","check":true}`, play, task("a", "changed"), finish("a"), recap},
			command.Result{}, false, []State{Checked, Untouched, Untouched}},
		"nothing": {nil, command.Result{Err: context.Canceled}, true, []State{Unfinished, Unfinished, Unfinished}},
		"others":  {[]string{begins, "rubbish", `[]`, task("x", "ok"), finish("x"), recap}, command.Result{}, false, []State{Untouched, Untouched, Untouched}},
	} {
		out := heard(t, c.lines...).outcome(c.res, c.stopped)
		for i, r := range out.Results {
			if r.State != c.want[i] || r.State != Succeeded && r.Why == "" && r.State != Failed {
				t.Errorf("%s: %s is %s (%q), want %s", name, r.Node, r.State, r.Why, c.want[i])
			}
		}
	}
}

// Whatever is heard, a node succeeds only if something was done on it, it came
// to the end of the playbook or of its batch, and no recap speaks against it.
func TestOutcomeProperties(t *testing.T) {
	line := rapid.OneOf(
		rapid.SampledFrom([]string{begins, play, batch, recap, "rubbish", `{"event":"stats","hosts":{"a":{"failures":1},"b":{}}}`}),
		rapid.Custom(func(t *rapid.T) string {
			host := rapid.SampledFrom([]string{"a", "b", "c", "x"}).Draw(t, "host")
			if rapid.Bool().Draw(t, "ends") {
				return finish(host)
			}
			return task(host, rapid.SampledFrom([]string{"ok", "changed", "skipped", "failed", "ignored", "unreachable", "?"}).Draw(t, "state"))
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(line, 0, 20).Draw(t, "lines")
		for _, r := range heard(t, lines...).outcome(command.Result{}, false).Results {
			did := slices.Contains(lines, task(r.Node, "ok")) || slices.Contains(lines, task(r.Node, "changed"))
			ended := slices.Contains(lines, finish(r.Node)) || slices.Contains(lines, batch)
			if r.State == Succeeded && !(did && ended) {
				t.Fatalf("%s succeeded", r.Node)
			}
			for _, text := range slices.Backward(lines) {
				var e Event
				if json.Unmarshal([]byte(text), &e) == nil && e.Event == "stats" {
					if s, listed := e.Hosts[r.Node]; r.State == Succeeded && (!listed || s.Failures > 0) {
						t.Fatalf("%s succeeded, against the recap", r.Node)
					}
					break
				}
			}
		}
	})
}

// A pipe that ends before its end is an error, not a success.
func TestHearCutOff(t *testing.T) {
	if err := newTally(Config{}).hear(strings.NewReader(begins + "\n")); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// Only what succeeded is registered; an answer that was lost is asked for once
// more; and one that cannot be registered keeps none of the others from it.
func TestRegister(t *testing.T) {
	out := Outcome{Results: []Result{
		{Node: "a", State: Succeeded}, {Node: "b", State: Failed}, {Node: "c", State: Succeeded}, {Node: "d", State: Checked}, {Node: "e", State: Succeeded},
	}}
	var asked []string
	out.Register(t.Context(), time.Second, func(_ context.Context, node string) error {
		asked = append(asked, node)
		if node == "a" || node == "c" && len(asked) == 3 {
			return errors.New("it did not answer")
		}
		return nil
	})
	if got := strings.Join(asked, ""); got != "aacce" {
		t.Errorf("asked %s", got)
	}
	var states []State
	for _, r := range out.Results {
		states = append(states, r.State)
	}
	if !slices.Equal(states, []State{Unregistered, Failed, Done, Checked, Done}) {
		t.Error(states)
	}
	if (Choice{}).Report("", &out).Done() {
		t.Error("all is done")
	}
}
