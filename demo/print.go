package demo

import (
	"fmt"
	"strings"
	"time"

	"muster/agent"
)

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.cfg.Out, format+"\n", args...) }

// indent prints text with every line indented.
func (s *stage) indent(text string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			line = "   " + line
		}
		s.say("%s", line)
	}
}

func (s *stage) bold(text string) string {
	if !s.cfg.Color {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// span is a duration to two digits or so: 38 ms, 4.9 s.
func span(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// wrap breaks text into lines of at most width bytes, between words.
func wrap(text string, width int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n") + "\n"
}

// aftermath says which rules were brought in step since a time, and what ran.
func aftermath(rules []agent.RuleStatus, since time.Time) string {
	var all []string
	for _, r := range rules {
		if !appliedSince(r, since) {
			continue
		}
		var done []string
		if r.Check != nil && !r.Check.At.Before(since) {
			done = append(done, "check "+span(r.Check.Took))
		}
		if r.Reload != nil && !r.Reload.At.Before(since) {
			done = append(done, "reload "+span(r.Reload.Took))
		}
		text := r.Rule
		if len(done) > 0 {
			text += " (" + strings.Join(done, ", ") + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// appliedSince reports whether a change or a reload of the rule succeeded at
// t or after it. The agent remembers that to the millisecond.
func appliedSince(r agent.RuleStatus, t time.Time) bool {
	return !r.Applied.Before(t.Truncate(time.Millisecond))
}

// states is how the rules are, in words.
func states(rules []agent.RuleStatus) string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Rule+" is "+string(r.State))
	}
	return strings.Join(all, ", ")
}
