package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"muster/rules"
	"muster/templates"
)

// A Program is a rule set whose templates are parsed: all that can be known
// to be wrong without a membership has been found.
type Program struct {
	Set   *rules.Set
	rules []*compiled
}

// A compiled rule is a rule with its templates parsed.
type compiled struct {
	*rules.Rule
	templates map[*rules.Template]*templates.Template
}

// Compile loads the rules of a directory and parses their templates. It
// returns every mistake at once; the program is nil if one is an error. watch
// lists every file and directory whose change means to compile again.
func Compile(dir string) (program *Program, watch []string, problems rules.Problems) {
	return compile(dir, nil)
}

// CompilePartly is Compile, but leaves out the files with mistakes so that
// the others serve. The problems are those of all files; the program is nil
// only if nothing is left.
func CompilePartly(dir string) (program *Program, watch []string, problems rules.Problems) {
	program, watch, problems = compile(dir, nil)
	// What is left out may be what other files hang on, hence the loop.
	for skip := problems.Files(); program == nil; {
		p, _, more := compile(dir, skip)
		if p != nil {
			return p, watch, problems
		}
		found := len(skip)
		skip = append(skip, more.Files()...)
		slices.Sort(skip)
		if skip = slices.Compact(skip); len(skip) == found {
			return nil, watch, problems
		}
	}
	return program, watch, problems
}

// compile compiles what is in dir, without the rule files of skip.
func compile(dir string, skip []string) (*Program, []string, rules.Problems) {
	set, watch, problems := rules.Load(dir, rules.Known{
		Builtins: templates.Builtins(), Formats: formats(), Skip: skip,
	})
	if set == nil {
		return nil, watch, problems
	}
	p := &Program{Set: set}
	for _, rule := range set.Rules {
		c := &compiled{Rule: rule, templates: map[*rules.Template]*templates.Template{}}
		for _, t := range rule.Templates {
			parsed, err := parse(t)
			if err != nil {
				problems = append(problems, problemOf(rule, t, err))
				continue
			}
			c.templates[t] = parsed
		}
		p.rules = append(p.rules, c)
	}
	if problems.HasErrors() {
		return nil, watch, problems
	}
	return p, watch, problems
}

// formats lists the names of the formats.
func formats() []string {
	var names []string
	for _, f := range templates.Formats() {
		names = append(names, string(f))
	}
	return names
}

// parse parses one template in the format that the rule says, or its built-in
// has, or its destination tells.
func parse(t *rules.Template) (*templates.Template, error) {
	text, format := t.Text, templates.Format(t.Format)
	if t.Builtin() {
		builtin, own, ok := templates.Builtin(t.Source)
		if !ok {
			return nil, fmt.Errorf("no built-in template %q", t.Source)
		}
		text, format = builtin, cmp.Or(format, own)
	}
	return templates.Parse(text, templates.Options{
		Name:      cmp.Or(t.Source, t.File),
		Format:    cmp.Or(format, templates.FormatFor(t.DestinationHint())),
		LeftDelim: t.LeftDelim, RightDelim: t.RightDelim, MaxOutput: t.MaxOutput,
	})
}

// problemOf says where in which file a template's mistake stands.
func problemOf(rule *rules.Rule, t *rules.Template, err error) rules.Problem {
	p := rules.Problem{Severity: rules.Error, File: t.File, Line: t.Line, Rule: rule.Name, Summary: err.Error()}
	if e := (*templates.Error)(nil); errors.As(err, &e) && !t.Builtin() {
		p.Line, p.Column, p.Summary, p.Detail = t.Line+e.Line-1, e.Column, e.Message, e.Hint
		if lines := strings.Split(t.Text, "\n"); e.Line <= len(lines) {
			p.Snippet = rules.Snippet(lines[e.Line-1], e.Column)
		}
	}
	return p
}
