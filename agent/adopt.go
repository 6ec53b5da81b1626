package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/human"
	"muster/rules"
	"muster/timeline"
)

// adopt puts a compiled rule set in force. What is known of rules that go on
// under the same name is kept where it does not hang on their old text.
func (l *loop) adopt(p *Program, now time.Time) {
	old := map[string]*state{}
	for _, s := range l.states {
		old[s.rule.Name] = s
	}
	l.program, l.states = p, nil
	for _, c := range p.rules {
		if !c.Renders() {
			continue
		}
		s := &state{rule: c, selection: c.NewSelection()}
		if before := old[c.Name]; before != nil {
			s.begun, s.report, s.tally = before.begun, before.report, before.tally
		}
		s.update(now, l.view, nil)
		s.inForce = c.InForce(l.view.SelfMember())
		l.states = append(l.states, s)
	}
	l.lanes = lanes(l.states)
	var gone []string
	for name := range old {
		if !l.has(name) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	l.reconciler.Forget(gone)
	if len(gone) > 0 {
		l.log.Info("rules are gone", "rules", gone)
		l.note(false, "rules are gone: %s", strings.Join(few(gone), ", "))
	}
	l.act()
	l.answer(nil)
}

// has reports whether a rule is in the set.
func (l *loop) has(name string) bool {
	return slices.ContainsFunc(l.states, func(s *state) bool { return s.rule.Name == name })
}

// compile compiles the rules. Where nobody has asked for rules yet there need
// be no directory of them; one that vanishes is a mistake.
func (l *loop) compile(how func(dir string) (*Program, []string, rules.Problems)) (*Program, []string, rules.Problems) {
	if l.cfg.RulesOptional && len(l.program.rules) == 0 && len(l.reconciler.Status()) == 0 {
		if _, err := os.Stat(l.cfg.RulesDir); errors.Is(err, fs.ErrNotExist) {
			l.log.Info("there is no rules directory, and so no rule", "dir", l.cfg.RulesDir)
			return &Program{Set: &rules.Set{}}, []string{l.cfg.RulesDir}, nil
		}
	}
	return how(l.cfg.RulesDir)
}

// first puts in force what can be compiled when the agent starts.
func (l *loop) first(now time.Time) {
	program, watch, problems := l.compile(CompilePartly)
	l.sources.set(watch)
	l.took(problems)
	if program == nil || problems.HasErrors() && len(program.rules) == 0 {
		l.log.Error("no rules in force until the mistakes are mended", "dir", l.cfg.RulesDir)
		l.note(true, "no rules in force until the mistakes are mended")
		return
	}
	l.loaded = now
	l.adopt(program, now)
	l.log.Info("rules loaded", "dir", l.cfg.RulesDir, "rules", len(program.rules))
	l.note(false, "%s loaded", human.Count(len(program.rules), "rule"))
}

// reload compiles the rules again and adopts them, or keeps those in force
// if there is a mistake in the new ones.
func (l *loop) reload(trigger string, now time.Time) rules.Problems {
	l.cfg.Notify(Notice{Reloading: true})
	program, watch, problems := l.compile(Compile)
	l.sources.set(watch)
	l.took(problems)
	if program != nil {
		l.loaded = now
		l.adopt(program, now)
		l.all(trigger, now)
		l.log.Info("rules loaded", "dir", l.cfg.RulesDir, "rules", len(program.rules), "trigger", trigger)
		l.note(false, "%s loaded again", human.Count(len(program.rules), "rule"))
	} else {
		l.log.Error("rules not loaded: those in force stay in force", "dir", l.cfg.RulesDir, "mistakes", len(problems))
		l.note(true, "rules not loaded: those in force stay in force")
	}
	l.cfg.Notify(Notice{Ready: true, Status: l.summary()})
	return problems
}

// took notes and logs what was found in the rules.
func (l *loop) took(problems rules.Problems) {
	l.problems = problems
	for i, p := range problems {
		if i < mostLeftOut {
			l.cfg.Timeline.Add(timeline.Entry{Kind: timeline.Agent, Rule: p.Rule, Bad: p.Severity != rules.Warning,
				Text: fmt.Sprintf("%s:%d: %s", filepath.Base(p.File), p.Line, p.Summary)})
		}
		level := l.log.Error
		if p.Severity == rules.Warning {
			level = l.log.Warn
		}
		var attrs []any
		for _, a := range []slog.Attr{
			slog.String("file", p.File), slog.Int("line", p.Line), slog.Int("column", p.Column),
			slog.String("rule", p.Rule), slog.String("remedy", p.Detail),
		} {
			if !a.Value.Equal(slog.StringValue("")) && !a.Value.Equal(slog.IntValue(0)) {
				attrs = append(attrs, a)
			}
		}
		level(p.Summary, attrs...)
	}
}

// summary is how things are, in one line for the service manager.
func (l *loop) summary() string {
	switch {
	case !l.view.Settled:
		return "waiting for the first join to settle"
	case l.problems.HasErrors():
		return fmt.Sprintf("%d members; the rules on disk have mistakes, older ones are in force", len(l.view.Members))
	default:
		return fmt.Sprintf("%d members, %d rules in force", len(l.view.Members), len(l.program.rules))
	}
}
