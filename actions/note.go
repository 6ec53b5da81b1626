package actions

import (
	"errors"

	"muster/timeline"
)

// note puts on the timeline what became of an occasion. What a command printed
// is for the log and the status alone.
func (r *Runner) note(l *lane, bad bool, text string) {
	e := timeline.Entry{Kind: timeline.Action, Text: text, Bad: bad}
	if l.kind == KindRule {
		e.Rule = l.name
	} else {
		e.Text = "handler " + l.name + ": " + text
	}
	r.c.Timeline.Add(e)
}

// ending says how the command ended that an action failed of; nothing where it
// was no command.
func ending(err error) string {
	if failed := (*runError)(nil); errors.As(err, &failed) {
		return ": " + failed.result.Verdict()
	}
	return ""
}
