package agent

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"muster/cluster"
	"muster/haproxy"
	"muster/rules"
	"muster/services"
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
	runtime   *haproxy.Runtime // nil: none
	tags      *services.Cache  // what the members offer, read once for all rules
}

// Compile loads the rules of a directory and parses their templates. It
// returns every mistake at once; the program is nil if one is an error. watch
// lists every file and directory whose change means to compile again.
func Compile(dir string) (program *Program, watch []string, problems rules.Problems) {
	c := compiler{dir: dir}
	program = c.compile()
	return program, c.watch, c.problems
}

// CompilePartly is Compile, but leaves out the files with mistakes so that
// the others serve. The problems are those of all files; the program is nil
// only if nothing is left.
func CompilePartly(dir string) (program *Program, watch []string, problems rules.Problems) {
	c := compiler{dir: dir}
	program = c.compile()
	watch, problems = c.watch, c.problems
	// Others may hang on what was left out, hence the loop.
	for found := 0; program == nil && len(c.faulty) > found; {
		found = len(c.faulty)
		program = c.compile()
	}
	return program, watch, problems
}

// A compiler compiles a directory, perhaps more than once.
type compiler struct {
	dir      string
	tags     services.Cache
	watch    []string
	problems rules.Problems
	faulty   []string // rule files with errors so far; they are left out
}

// compile compiles what is in the directory but for the faulty files.
func (c *compiler) compile() *Program {
	set, watch, problems := c.load()
	c.watch, c.problems = watch, problems
	for _, problem := range problems {
		if problem.Severity == rules.Error {
			c.blame(problem.File)
		}
	}
	if set == nil { // the templates of the other files are worth a look all the same
		set, _, _ = c.load()
	}
	p := &Program{Set: set}
	if set != nil {
		for _, rule := range set.Rules {
			p.rules = append(p.rules, c.rule(rule))
		}
	}
	if c.problems.HasErrors() {
		return nil
	}
	return p
}

// load loads the directory but for the faulty files.
func (c *compiler) load() (*rules.Set, []string, rules.Problems) {
	return rules.Load(c.dir, rules.Known{Builtins: templates.Builtins(), Vars: templates.BuiltinVars, Formats: formats(), Skip: c.faulty})
}

// rule parses the templates of one rule.
func (c *compiler) rule(rule *rules.Rule) *compiled {
	parsed := &compiled{Rule: rule, templates: map[*rules.Template]*templates.Template{}, runtime: newRuntime(rule), tags: &c.tags}
	for _, t := range rule.Templates {
		template, err := parse(rule, t)
		if err == nil {
			err = missingVar(rule, t, template)
		}
		if err != nil {
			c.problems = append(c.problems, problemOf(rule, t, err))
			c.blame(rule.File)
			continue
		}
		parsed.templates[t] = template
	}
	return parsed
}

// blame leaves a file out the next time.
func (c *compiler) blame(file string) {
	if !slices.Contains(c.faulty, file) {
		c.faulty = append(c.faulty, file)
	}
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
// has, or its destination tells, or the commands for it.
func parse(rule *rules.Rule, t *rules.Template) (*templates.Template, error) {
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
		Format:    cmp.Or(format, templates.FormatFor(t.DestinationHint(), rule.Mentions()...)),
		LeftDelim: t.LeftDelim, RightDelim: t.RightDelim, MaxOutput: t.MaxOutput,
		CheckFilter: func(filter string) error {
			_, err := rules.ParseFilter(filter)
			return err
		},
	})
}

// missingVar tries a template with nobody, and with a member that says nothing,
// and returns the mistake if it prints a var which the rule does not have. What
// else may go wrong depends on the membership.
func missingVar(rule *rules.Rule, t *rules.Template, template *templates.Template) error {
	vars, constant := t.ConstantVars()
	if !constant {
		return nil
	}
	anybody := cluster.Member{Name: "anybody", Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Status: cluster.Alive}
	for _, members := range [][]cluster.Member{nil, {anybody}} {
		_, err := template.Execute(templates.Data{
			Rule: rule.Name, Vars: vars, Members: members, AllMembers: members, Self: anybody,
			Select:   func(string) ([]cluster.Member, error) { return members, nil },
			Services: func(string) []templates.Offer { return nil },
		})
		if e := (*templates.Error)(nil); errors.As(err, &e) && e.NoVar != "" {
			return e
		}
	}
	return nil
}

// problemOf says where in which file a template's mistake stands.
func problemOf(rule *rules.Rule, t *rules.Template, err error) rules.Problem {
	p := rules.Problem{Severity: rules.Error, File: t.File, Line: t.Line, Rule: rule.Name, Summary: err.Error()}
	switch e := (*templates.Error)(nil); {
	case !errors.As(err, &e):
	case t.Builtin() && e.NoVar != "":
		p.Summary = fmt.Sprintf("%s needs the var `%s`", t.Source, e.NoVar)
		p.Detail = fmt.Sprintf("Write vars = { %s = … }. docs/templates.md says what it means.", e.NoVar)
	case !t.Builtin():
		p.Line, p.Column, p.Summary, p.Detail = t.LineOf(e.Line), e.Column, e.Message, e.Hint
		if lines := strings.Split(t.Text, "\n"); e.Line <= len(lines) && !t.Sensitive {
			p.Snippet = rules.Snippet(lines[e.Line-1], e.Column)
		}
	}
	return p
}
