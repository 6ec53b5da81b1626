package main

import (
	"fmt"
	"maps"
	"slices"

	"muster/actions"
	"muster/agent"
	"muster/command"
	"muster/human"
)

// printActing prints a table of what acts on events, and below it what keeps
// it from doing so.
func (a *app) printActing(s agent.Acting) {
	if len(s.Each) > 0 {
		t := newTable(a.out, "ACTS", "HEARD", "RUN", "FAILED", "QUEUED", "DROPPED", "REFUSED", "LAST")
		for _, one := range s.Each {
			t.row(cut(one.Name, widestName), fmt.Sprint(one.Heard), fmt.Sprint(one.Run), fmt.Sprint(one.Failed), fmt.Sprint(one.Queued),
				fmt.Sprint(one.Dropped), fmt.Sprint(refused(one)), lastAction(one))
		}
		t.flush()
	}
	if s.Refused != "" && slices.ContainsFunc(s.Each, func(one actions.Status) bool { return one.Kind == actions.KindRule }) {
		fmt.Fprintf(a.out, "\nrules that act are refused: %s\n", printable(s.Refused))
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(a.out, "\n%s\n", printable(problem))
	}
	for _, one := range s.Each {
		if one.Problem != "" {
			fmt.Fprintf(a.out, "\n%s: %s\n", printable(one.Name), printable(one.Problem))
		}
		for _, cut := range one.CutOff {
			fmt.Fprintf(a.out, "\n%s was cut off in the middle of %s, %s: how it ended is not known\n",
				printable(one.Name), printable(cut.Event), ago(cut.At))
		}
	}
	if s.Lost > 0 {
		fmt.Fprintf(a.out, "\n%s came faster than they could be taken in, and are lost\n", human.Count(int(s.Lost), "event"))
	}
}

// widestName is how much of a name the table has room for: that of a handler
// is a whole line of shell.
const widestName = 48

// cut shortens a text that is longer than n characters.
func cut(text string, n int) string {
	if chars := []rune(text); len(chars) > n {
		return string(chars[:n-1]) + "…"
	}
	return text
}

// refused is how many occasions were refused, for whatever reason.
func refused(s actions.Status) (n uint64) {
	for _, one := range s.Refused {
		n += one
	}
	return n
}

// lastAction says what runs now, or what ran last.
func lastAction(s actions.Status) string {
	switch {
	case s.Running != nil:
		return fmt.Sprintf("%s runs since %s", s.Running.Event, s.Running.Since.Local().Format("15:04:05"))
	case s.Last != nil && s.Last.OK:
		return fmt.Sprintf("%s, %s", s.Last.Event, ago(s.Last.At))
	case s.Last != nil:
		return fmt.Sprintf("%s, failed %s", s.Last.Event, ago(s.Last.At))
	}
	return "-"
}

// printActs says how one rule that acts is doing.
func (a *app) printActs(s actions.Status) {
	a.field("heard", fmt.Sprintf("%d: %d run, %d of them failed, %d queued, %d dropped, %d not wanted",
		s.Heard, s.Run, s.Failed, s.Queued, s.Dropped, s.Unwanted))
	for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
		a.field("refused", fmt.Sprintf("%d: %s", s.Refused[reason], reason))
	}
	if s.Running != nil {
		a.field("running", printable(fmt.Sprintf("%s, since %s: %s", s.Running.Event, s.Running.Since.Local().Format("15:04:05"), command.Words(s.Running.Argv))))
	}
	if s.Last != nil {
		a.field("last", printable(fmt.Sprintf("%s, %s, took %s", s.Last.Event, ago(s.Last.At), short(s.Last.Took))))
		a.field("", "| "+printable(s.Last.Verdict))
	}
	for _, cut := range s.CutOff {
		a.field("cut off", printable(fmt.Sprintf("%s, %s", cut.Event, ago(cut.At))))
	}
	if s.Problem != "" {
		a.field("problem", printable(s.Problem))
	}
}
