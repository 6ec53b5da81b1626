package publisher

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/command"
	"muster/services"
)

// A walk plays checks that pass (+) and fail (-), one an interval, and writes
// down whether the service is wanted after each: + or -.
func walk(e *entry, checks string) string {
	now := time.Unix(1_000_000, 0)
	var out strings.Builder
	for _, c := range checks {
		res := command.Result{}
		if c == '-' {
			res.ExitCode = 1
		}
		e.judge(res, now, slog.New(slog.DiscardHandler))
		now = now.Add(e.Interval)
		if e.wanted {
			out.WriteByte('+')
		} else {
			out.WriteByte('-')
		}
	}
	return out.String()
}

func checked(failures, passes int) Service {
	return Service{Name: "web", Service: services.Service{Type: "web", Port: "80"}, Check: &command.Command{Argv: []string{"true"}},
		Interval: time.Second, Failures: failures, Passes: passes}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		failures, passes int
		checks, wanted   string
	}{
		{3, 1, "++--+---+", "+++++++-+"},
		{1, 1, "+-+", "+-+"},
		{1, 3, "-+++", "---+"},     // never published: that takes its passes, too
		{2, 3, "+--+++", "++---+"}, // the first pass publishes at once
		{2, 2, "+--+-++", "++----+"},
		// From the second fall on it takes longer each time: 2, 4, 8 intervals.
		{1, 1, "+-+-+++-+++++++-++++++++++", "+-+--++----++++--------+++"},
	} {
		e := newEntry(checked(c.failures, c.passes), time.Unix(1_000_000, 0))
		got := walk(e, c.checks)
		if got != c.wanted {
			t.Errorf("%d failures, %d passes: %s becomes %s, want %s", c.failures, c.passes, c.checks, got, c.wanted)
		}
	}
}

// A service that goes up and down is not published more often than its holds
// allow, however often it is checked: no storm of tags.
func TestFlapping(t *testing.T) {
	e := newEntry(checked(1, 1), time.Unix(1_000_000, 0))
	const checks = 3600
	got := walk(e, strings.Repeat("+-", checks/2))
	changes := strings.Count(got, "+-") + strings.Count(got, "-+")
	if changes > 40 {
		t.Errorf("%d changes in %d checks", changes, checks)
	}
	t.Logf("%d changes in %d checks", changes, checks)
	if e.state != Held && e.state != Withdrawn {
		t.Errorf("it is %s", e.state)
	}
}

func TestHoldIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 1: 20 * time.Second, 2: 40 * time.Second, 5: longHold, 1000: longHold} {
		if got := holdAfter(n, 10*time.Second); got != want {
			t.Errorf("after %d falls: %v, want %v", n, got, want)
		}
	}
}

func TestStatusSaysWhy(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	e := newEntry(checked(2, 1), now)
	log := slog.New(slog.DiscardHandler)
	var got []string
	say := func() { s := e.status(); got = append(got, string(s.State)+" "+s.Why) }
	say()
	e.judge(command.Result{}, now, log)
	say()
	e.settle(outcome{in: true}, log)
	say()
	e.judge(command.Result{ExitCode: 1}, now, log)
	say()
	e.judge(command.Result{Err: errors.New("no such program")}, now, log)
	say()
	e.falls, e.until = 3, now.Add(time.Hour)
	e.judge(command.Result{}, now, log)
	e.until = time.Unix(0, 0)
	say()
	e.judge(command.Result{}, now, log)
	e.settle(outcome{over: 17}, log)
	say()
	at := time.Unix(0, 0).Local().Format("15:04:05")
	want := []string{
		"checking ", "pending ", "published ", "published its check failed 1 of 2 times: exit status 1",
		"withdrawn its check failed: no such program",
		"held its check passes again, but it was withdrawn 3 times: published after " + at + " if it goes on to pass",
		"no-room it takes 17 bytes more than the tags have room for: shorten it, or take out another service or tag",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
