package agent

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"muster/human"
	"muster/reconcile"
	"muster/timeline"
)

// tell says what the job did, one line for each fact, in the log and, for
// people, on the timeline. What was the same the last time is not said again.
func (j *job) tell(log *slog.Logger, t *timeline.Log) {
	name := j.state.rule.Name
	log = log.With("rule", name)
	before := j.state.report
	if before == nil {
		before = &Report{}
	}
	if err := j.report.Error; err != "" {
		if err != before.Error {
			log.Error("rule not rendered, the old files stay", "error", err, "trigger", j.report.Trigger)
			first, _, _ := strings.Cut(err, "\n")
			t.Add(timeline.Entry{Kind: timeline.Rule, Rule: name, Bad: true, Text: "not rendered, the old files stay: " + first})
		}
		return
	}
	for _, r := range logLeftOut(log, before.Refused, j.report.Refused) {
		t.Add(timeline.Entry{Kind: timeline.Rule, Rule: name, Node: r.Member, Bad: true, Text: "left out: " + r.Reason + " at " + r.Place})
	}
	j.tellOutcome(log, func(bad bool, text string) {
		t.Add(timeline.Entry{Kind: timeline.Rule, Rule: name, Bad: bad, Text: text})
	})
}

// mostLeftOut bounds the lines about what one pass left out.
const mostLeftOut = 8

// logLeftOut says what was left out and was not the last time. Whoever is left
// out already may say something else each time: that is not told again. It
// returns what it told.
func logLeftOut(log *slog.Logger, before, now []Refusal) (told []Refusal) {
	known := make(map[Refusal]bool, len(before))
	for _, r := range before {
		known[r.subject()] = true
	}
	fresh := 0
	for _, r := range now {
		if known[r.subject()] {
			continue
		}
		if fresh++; fresh <= mostLeftOut {
			log.Warn("left out", "member", r.Member, "value", r.Value, "reason", r.Reason, "place", r.Place)
			told = append(told, r)
		}
	}
	if more := fresh - mostLeftOut; more > 0 {
		log.Warn("more is left out: see muster status", "count", more)
	}
	return told
}

// subject is what r is about, whatever was said.
func (r Refusal) subject() Refusal {
	if r.Member == "" {
		return Refusal{Place: r.Place, Value: r.Value}
	}
	return Refusal{Place: r.Place, Member: r.Member}
}

// tellOutcome says what came of converging; note puts a line on the timeline.
func (j *job) tellOutcome(log *slog.Logger, note func(bad bool, text string)) {
	o := j.outcome
	if !j.idle() && o.State != reconcile.Drifted && len(o.Drifted) > 0 { // else it was said already, or is below
		for _, path := range o.Drifted {
			log.Warn("file was changed by somebody else", "file", path, "put_back", slices.Contains(o.Changed, path))
		}
		note(true, "changed by somebody else: "+strings.Join(few(o.Drifted), ", "))
	}
	switch {
	case o.State == reconcile.Failed || o.State == reconcile.Owed:
		if j.state.failing != o.Err.Error() {
			log.Error("not in step", "state", string(o.State), "error", o.Err, "trigger", j.report.Trigger, at("retry", o.Retry))
			note(true, failedText(o))
		}
	case o.State == reconcile.Held:
		if !j.state.held {
			log.Warn("held: the files stay as they are", "why", o.Verdict.Why, at("until", o.Verdict.Until), "trigger", j.report.Trigger)
			note(true, "held: "+o.Verdict.Why)
		}
	case o.State == reconcile.Drifted:
		if !j.state.fighting {
			log.Warn("somebody else keeps changing files: they are put back less and less often", "files", few(o.Drifted), at("retry", o.Retry))
			note(true, "somebody else keeps changing files: "+strings.Join(few(o.Drifted), ", "))
		}
	case len(o.Changed) > 0 || o.Reloaded || len(o.Told) > 0:
		log.Info("in step", "trigger", j.report.Trigger, "changed", o.Changed, "gained", few(o.Gained), "lost", few(o.Lost),
			"reloaded", o.Reloaded, "told", len(o.Told), "took", j.report.Took.Round(10*time.Microsecond))
		note(false, appliedText(o))
	case o.State == reconcile.InSync && j.state.troubled():
		log.Info("in step again", "trigger", j.report.Trigger)
		note(false, "in sync again")
	}
}

// failedText says why a pass failed; what commands printed is for the log and
// the status alone.
func failedText(o reconcile.Outcome) string {
	if o.State == reconcile.Owed {
		return "a reload is owed: " + reconcile.Brief(o.Err)
	}
	return "failed, the old files are in place: " + reconcile.Brief(o.Err)
}

// appliedText says what a pass did.
func appliedText(o reconcile.Outcome) string {
	var parts []string
	if len(o.Changed) == 1 {
		parts = append(parts, o.Changed[0]+" changed")
	} else if len(o.Changed) > 1 {
		parts = append(parts, human.Count(len(o.Changed), "file")+" changed")
	}
	if len(o.Gained) > 0 {
		parts = append(parts, "gained "+strings.Join(few(o.Gained), ", "))
	}
	if len(o.Lost) > 0 {
		parts = append(parts, "lost "+strings.Join(few(o.Lost), ", "))
	}
	if o.Reloaded {
		parts = append(parts, "reloaded")
	}
	if len(o.Told) > 0 {
		parts = append(parts, "told the running service")
	}
	return "applied: " + strings.Join(parts, "; ")
}

// troubled reports whether the last pass failed, was held or let things be.
func (s *state) troubled() bool {
	return s.held || s.fighting || s.failing != "" || s.report != nil && s.report.Error != ""
}

// few bounds a list of names for a line of log.
func few(names []string) []string {
	const most = 8
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most]), "…")
}

// at is a time to log, or nothing when there is none.
func at(key string, t time.Time) slog.Attr {
	if t.IsZero() {
		return slog.Attr{}
	}
	return slog.Time(key, t)
}
