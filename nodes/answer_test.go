package nodes

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/cluster"
	"muster/load"
)

// The machine is asked once a second, whoever floods with questions, and a
// failure is told once.
func TestAnswerer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		reads, fails := 0, false
		a := &Answerer{Logger: slog.New(slog.NewTextHandler(&log, nil)), read: func() (load.Load, error) {
			reads++
			if fails {
				return load.Load{}, errors.New("no /proc")
			}
			return load.Load{CPUs: reads, MemTotal: 2, MemFree: 1}, nil
		}}
		answers := 0
		ask := func() {
			a.Handle(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query, Answer: func(text []byte) error {
				answers++
				// What is told again has the time of the answer.
				if l, at, err := load.Decode(text); err != nil || l.CPUs != reads || !at.Equal(time.Now()) {
					t.Errorf("answer %s: %v", text, err)
				}
				return nil
			}})
		}
		for range 1000 {
			ask()
			time.Sleep(10 * time.Millisecond)
		}
		if reads != 10 || answers != 1000 {
			t.Errorf("%d reads for %d answers", reads, answers)
		}
		fails, answers = true, 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			ask()
		}
		if answers != 0 || strings.Count(log.String(), "no /proc") != 1 {
			t.Errorf("%d answers, log:\n%s", answers, &log)
		}
		fails = false
		time.Sleep(time.Second)
		if ask(); answers != 1 {
			t.Errorf("%d answers once it can be read again", answers)
		}
	})
}

// Where an answer goes nowhere nothing happens.
func TestAnswererWithoutAnAsker(t *testing.T) {
	new(Answerer).Handle(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query})
}
