package rules

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

var ruleShape = shape{
	what: "a rule",
	attrs: []string{"description", "on", "check", "reload", "verify", "runtime", "drain", "wait", "every", "on_orphan",
		"when", "for", "nodes", "quorum", "queue", "signature"},
	blocks: map[string][]string{"members": nil, "self": nil, "template": nil, "guard": nil, "check": nil, "reload": nil, "verify": nil,
		"run": nil, "send": nil, "respond": nil, "locals": nil},
	hints: map[string]string{
		"retries":     "`retries` belongs in a `run` block.",
		"idempotent":  "`idempotent` belongs in a `run` block.",
		"stdin":       "`stdin` belongs in a `run` block.",
		"command":     "Write reload = [\"PROGRAM\", …] for a rule that renders, or run { command = [\"PROGRAM\", …] } for one that acts.",
		"source":      "`source` belongs in a `template` block.",
		"destination": "`destination` belongs in a `template` block.",
		"contents":    "`contents` belongs in a `template` block.",
		"vars":        "`vars` belongs in a `template` block.",
		"perms":       "`perms` belongs in a `template` block.",
		"for_each":    "`for_each` belongs in a `template` block.",
		"timeout":     "`timeout` belongs in a block: check { … }, reload { … } or run { … }.",
		"tags":        "`tags` belongs in a `members` block or a `self` block.",
		"status":      "`status` belongs in a `members` block.",
		"where":       "`where` belongs in a `members` block.",
		"event":       "Write on = [\"user:NAME\"].",
		"min_members": "`min_members` belongs in a `guard` block.",
		"max_loss":    "`max_loss` belongs in a `guard` block.",
		"hold":        "`hold` belongs in a `guard` block.",
		"grace":       "`grace` belongs in a `guard` block.",
	},
}

// The attributes and blocks that only one half of the language has.
var (
	renderOnly = []string{"check", "reload", "verify", "runtime", "drain", "wait", "every", "guard", "on_orphan"}
	actOnly    = []string{"when", "for", "nodes", "quorum", "queue", "signature"}
)

// readRule reads one rule block.
func (b *block) readRule(c *hcl.Block) *Rule {
	name := c.Labels[0]
	in := *b
	in.rule = name
	in.locals = cloneLocals(b.locals)
	s := in.open(c.Body, c.DefRange, ruleShape)
	if hint := badName(name); hint != "" {
		s.problem(c.LabelRanges[0], fmt.Sprintf("\"%s\" cannot be a rule's name", printable(name)), hint)
	}
	readLocals(s.children("locals"), func(*hcl.Block) *block { return s })
	r := &Rule{Name: name, Description: s.str("description"), File: c.DefRange.Filename, Line: c.DefRange.Start.Line, nameAt: c.LabelRanges[0], in: b.file}
	templates, steps := s.children("template"), s.steps()
	switch {
	case len(templates) > 0 && len(steps) > 0:
		s.problem(steps[0].DefRange, "a rule renders or acts, not both",
			"Make two rules of it. What is to run once files have changed is `reload`; an event makes a rule look again with `on`.")
	case len(templates) > 0:
		s.refuse(actOnly, "is for rules that act", "This rule renders: it has a `template` block.")
	case len(steps) > 0:
		s.refuse(renderOnly, "is for rules that render", "This rule acts: it has a `"+steps[0].Type+"` block.")
	default:
		s.problem(c.DefRange, fmt.Sprintf("rule \"%s\" does nothing", printable(name)), "Add a `template` block to keep a file, or a `run`, `send` or `respond` block to act on events.")
	}
	acts := len(steps) > 0 && len(templates) == 0
	r.On = s.readOn()
	r.members = s.readMembers(acts)
	r.self = s.readSelf()
	if acts {
		r.Act = s.readAct(r.On, steps)
	} else {
		r.Render = s.readRender(templates)
	}
	return r
}

func cloneLocals(m map[string]cty.Value) map[string]cty.Value {
	out := make(map[string]cty.Value, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// badName returns what is wrong with a name that appears in logs and tables.
func badName(name string) string {
	switch {
	case name == "" || strings.TrimSpace(name) != name:
		return "A name has no space at its ends and is not empty."
	case len(name) > 128:
		return "A name has 128 bytes at most."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "A name consists of printable characters."
	}
	return ""
}

// refuse reports those of names that are given but have no meaning here.
func (b *block) refuse(names []string, why, detail string) {
	for _, name := range names {
		if attr := b.attrs[name]; attr != nil {
			b.problem(attr.NameRange, fmt.Sprintf("`%s` %s", name, why), detail)
		}
		for _, c := range b.children(name) {
			b.problem(c.TypeRange, fmt.Sprintf("`%s` %s", name, why), detail)
		}
	}
}

func (b *block) readOn() []EventFilter {
	var out []EventFilter
	words, places := b.strList("on")
	for i, w := range words {
		f, hint, err := parseEventFilter(w)
		if err != nil {
			b.problem(places[i], err.Error(), hint)
			continue
		}
		out = append(out, f)
	}
	return out
}

func (b *block) readRender(templates []*hcl.Block) Render {
	r := Render{
		Wait:     b.wait("wait", defaultWait),
		Every:    b.duration("every", 0, 0),
		OnOrphan: b.oneOf("on_orphan", OrphanReport, OrphanReport, OrphanRemove),
		Guard:    b.readGuard(),
	}
	for _, t := range templates {
		r.Templates = append(r.Templates, b.readTemplate(t))
	}
	r.Check = b.readCheck()
	b.checkStaged(r)
	var used string
	r.Reload, used = b.readReload()
	r.Verify = b.readVerify(used)
	b.readRuntime(&r)
	return r
}

func (b *block) readGuard() Guard {
	g := defaultGuard
	c := b.child("guard")
	if c == nil {
		return g
	}
	s := b.open(c.Body, c.DefRange, shape{what: "a `guard` block", attrs: []string{"min_members", "max_loss", "hold", "grace"}})
	g.MinMembers = s.count("min_members", g.MinMembers, 0, 1<<20)
	g.MaxLoss = s.fraction("max_loss", g.MaxLoss)
	g.Hold = s.duration("hold", g.Hold, 0)
	g.Grace = s.duration("grace", 0, 0)
	return g
}

const defaultTimeout = 30 * time.Second
