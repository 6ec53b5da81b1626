package agent

import (
	"log/slog"
	"slices"
	"time"

	"muster/reconcile"
)

// log says what the job did, one line for each fact. What was the same the
// last time is not said again.
func (j *job) log(log *slog.Logger) {
	log = log.With("rule", j.state.rule.Name)
	before := j.state.report
	if before == nil {
		before = &Report{}
	}
	if j.report.Error != "" {
		if j.report.Error != before.Error {
			log.Error("rule not rendered, the old files stay", "error", j.report.Error, "trigger", j.report.Trigger)
		}
		return
	}
	logLeftOut(log, before.Refused, j.report.Refused)
	j.logOutcome(log)
}

// mostLeftOut bounds the lines about what one pass left out.
const mostLeftOut = 8

// logLeftOut says what was left out and was not the last time. Whoever is left
// out already may say something else each time: that is not told again.
func logLeftOut(log *slog.Logger, before, now []Refusal) {
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
		}
	}
	if more := fresh - mostLeftOut; more > 0 {
		log.Warn("more is left out: see muster status", "count", more)
	}
}

// subject is what r is about, whatever was said.
func (r Refusal) subject() Refusal {
	if r.Member == "" {
		return Refusal{Place: r.Place, Value: r.Value}
	}
	return Refusal{Place: r.Place, Member: r.Member}
}

// logOutcome says what came of converging.
func (j *job) logOutcome(log *slog.Logger) {
	o := j.outcome
	for _, path := range o.Drifted {
		if j.idle() || o.State == reconcile.Drifted {
			break // said already, or below
		}
		log.Warn("file was changed by somebody else", "file", path, "put_back", slices.Contains(o.Changed, path))
	}
	switch {
	case o.State == reconcile.Failed || o.State == reconcile.Owed:
		if j.state.failing != o.Err.Error() {
			log.Error("not in step", "state", string(o.State), "error", o.Err, "trigger", j.report.Trigger, at("retry", o.Retry))
		}
	case o.State == reconcile.Held:
		if !j.state.held {
			log.Warn("held: the files stay as they are", "why", o.Verdict.Why, at("until", o.Verdict.Until), "trigger", j.report.Trigger)
		}
	case o.State == reconcile.Drifted:
		if !j.state.fighting {
			log.Warn("somebody else keeps changing files: they are put back less and less often", "files", few(o.Drifted), at("retry", o.Retry))
		}
	case len(o.Changed) > 0 || o.Reloaded || len(o.Told) > 0:
		log.Info("in step", "trigger", j.report.Trigger, "changed", o.Changed, "gained", few(o.Gained), "lost", few(o.Lost),
			"reloaded", o.Reloaded, "told", len(o.Told), "took", j.report.Took.Round(10*time.Microsecond))
	case o.State == reconcile.InSync && j.state.troubled():
		log.Info("in step again", "trigger", j.report.Trigger)
	}
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
