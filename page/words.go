package page

import (
	"fmt"
	"html/template"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"muster/agent"
	"muster/cluster"
	"muster/fleet"
	"muster/human"
	"muster/nodes"
	"muster/reconcile"
)

// words are the functions of the templates.
var words = template.FuncMap{
	"ago":     func(t time.Time) moment { return moment{t} },
	"took":    took,
	"diff":    diffLines,
	"argv":    argv,
	"plural":  human.Count,
	"join":    func(list []string) string { return strings.Join(list, ", ") },
	"address": func(host, port string) string { return net.JoinHostPort(host, port) }, // [::1]:80
}

// A moment is when something was, for the template of that name.
type moment struct{ time.Time }

// Machine is for programs, and Human for those without scripts.
func (m moment) Machine() string { return m.UTC().Format("2006-01-02T15:04:05.000Z") }
func (m moment) Human() string   { return m.UTC().Format("2006-01-02 15:04:05 UTC") }

// A state is how something is: never by its colour alone.
type state struct {
	Symbol string
	Word   string
	Class  string // good, bad, warn, idle: its colour
}

// The states of members, by Serf's word.
var memberStates = map[cluster.Status]state{
	cluster.Alive:   {"●", "alive", "good"},
	cluster.Failed:  {"✕", "failed", "bad"},
	cluster.Leaving: {"◐", "leaving", "warn"},
	cluster.Left:    {"○", "left", "idle"},
}

// statusOfMember is Serf's word on a member.
func statusOfMember(n nodes.Node) state {
	if s, known := memberStates[n.Status]; known {
		return s
	}
	return state{"?", visible(human.Clip(string(n.Status), 40)), "idle"}
}

// memberState is Serf's word on a member, whether it is suspected, and whether
// it drains.
func memberState(n nodes.Node) state {
	s := statusOfMember(n)
	if n.Status == cluster.Alive && n.Suspected {
		s.Class = "warn"
	}
	if drains(n) {
		s.Word += ", draining"
		if s.Class == "good" {
			s = state{"▽", s.Word, "warn"}
		}
	}
	return s
}

func drains(n nodes.Node) bool { return cluster.Member{Tags: n.Tags}.Draining() }

// The states of rules and files.
var ruleStates = map[reconcile.State]state{
	reconcile.InSync:   {"✓", "in sync", "good"},
	reconcile.Drifted:  {"≠", "drifted", "warn"},
	reconcile.Held:     {"‖", "held", "warn"},
	reconcile.Failed:   {"✕", "failed", "bad"},
	reconcile.Owed:     {"↻", "reload owed", "bad"},
	reconcile.Orphaned: {"∅", "orphaned", "warn"},
	reconcile.Pending:  {"…", "pending", "idle"},
	agent.NotInForce:   {"–", "not in force", "idle"},
	agent.Acts:         {"▶", "acts on events", "good"},
}

// ruleState is how a rule or a file is.
func ruleState(s reconcile.State, busy bool) state {
	out, known := ruleStates[s]
	switch {
	case !known:
		return state{"?", string(s), "idle"}
	case busy && s == reconcile.InSync:
		return state{"…", "a change is on its way", "idle"}
	}
	return out
}

// fleetState is how the rules of a node stand, by its own word; nothing where
// it was not asked.
func fleetState(n *fleet.Node) state {
	switch {
	case n == nil || n.Kind == "":
		return state{}
	case n.Problem != "":
		return state{"?", "unreadable", "warn"}
	case n.Kind == fleet.Serf:
		return state{"–", "Serf's agent", "idle"}
	case n.Kind == fleet.Silent:
		return state{"?", "no answer", "warn"}
	case n.Converged():
		return state{"✓", "in sync", "good"}
	}
	return state{"≠", "lagging", "bad"}
}

// fleetWhy is why the rules of a node stand as they do; empty: all is well.
func fleetWhy(n *fleet.Node) string {
	why := ""
	switch {
	case n == nil || n.Kind == "":
	case n.Problem != "":
		why = n.Problem
	case n.Kind == fleet.Serf:
		why = "it runs no muster"
	case n.Kind == fleet.Silent:
		why = "it does not say how its rules stand"
	case len(n.Rules) > 0:
		why = fmt.Sprintf("%s is %s: %s", n.Rules[0].Rule, n.Rules[0].State, n.Rules[0].Why)
	case n.Mistakes:
		why = "its rules have mistakes"
	}
	if n != nil && len(n.Rules)+n.More > 1 {
		why += fmt.Sprintf(" (and %d more)", len(n.Rules)+n.More-1)
	}
	return visible(ends(why, 200))
}

// A tag is one as it is shown.
type tag struct{ Key, Value string }

// tagsOf are the tags of a member, sorted, but those that have a column of
// their own.
func tagsOf(tags map[string]string, hidden ...string) []tag {
	var out []tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if !slices.Contains(hidden, key) {
			out = append(out, tag{visible(human.Clip(key, 60)), visible(human.Clip(tags[key], 120))})
		}
	}
	return out
}

// visible shows what would not be seen, or would turn the text around.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, hidden) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if hidden(r) || r == utf8.RuneError {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// printed is what a command printed, with its lines.
func printed(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		out.WriteString(visible(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")))
		out.WriteByte('\n')
	}
	return out.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// ends shortens s to about n bytes by what is in its middle: a reason begins
// with what was done, and what a command printed last, which tells most, is its
// end.
func ends(s string, n int) string {
	if len(s) <= n {
		return s
	}
	from := len(s) - n/2
	for ; from < len(s) && !utf8.RuneStart(s[from]); from++ {
	}
	return human.Clip(s, n-n/2) + " " + s[from:]
}

// took is a span of time, to three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// argv is a command line as a shell would read it.
func argv(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = visible(w); w == "" || strings.ContainsAny(w, " \t\n'\"\\$&;|<>()*?`#~") {
			out[i] = "'" + strings.ReplaceAll(out[i], "'", `'\''`) + "'"
		}
	}
	return human.Clip(strings.Join(out, " "), 500)
}

// A diffLine is one of a unified diff.
type diffLine struct{ Class, Text string }

// diffLines says of each line of a unified diff what it is.
func diffLines(diff string) []diffLine {
	var out []diffLine
	head := true
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		class := ""
		switch {
		case strings.HasPrefix(line, "@@"):
			head, class = false, "place"
		case head:
			class = "file"
		case strings.HasPrefix(line, "+"):
			class = "added"
		case strings.HasPrefix(line, "-"):
			class = "removed"
		}
		out = append(out, diffLine{class, visible(strings.ReplaceAll(line, "\t", "    "))})
	}
	return out
}
