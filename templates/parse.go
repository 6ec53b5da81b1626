package templates

import (
	"cmp"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// A parser makes a Template out of text: text/template's parse trees, looked
// through (analysis) and rewritten (rewrite).
type parser struct {
	Options
	text  string
	g     *grammar
	t     *Template
	trees map[string]*parse.Tree
	funcs template.FuncMap

	out     *template.Template  // gets the rewritten trees
	derived map[use]*derivation // the templates, once per way of using them
	calling map[string]bool     // the templates being derived: a call of one is a recursion
	visited int                 // nodes
	plain   bool                // keep nothing, leave all to text/template: what the tests compare with
	assign  map[string]bool     // variables that some template assigns to
}

func newParser(text string, o Options) (*parser, error) {
	o.Name = cmp.Or(o.Name, "template")
	o.Format = cmp.Or(o.Format, Text)
	o.LeftDelim, o.RightDelim = cmp.Or(o.LeftDelim, "{{"), cmp.Or(o.RightDelim, "}}")
	o.MaxOutput = cmp.Or(o.MaxOutput, DefaultMaxOutput)
	if _, err := ParseFormat(string(o.Format)); err != nil {
		return nil, errorAt(o.Name, text, 0, "", "%v", err)
	}
	blocks, err := outlineOf(o, text)
	if err != nil {
		return nil, err
	}
	t := &Template{name: o.Name, format: o.Format, text: text, maxOutput: int(min(o.MaxOutput, math.MaxInt32)),
		grammar: grammarOf(o.Format), memory: map[string]*memory{}}
	p := &parser{Options: o, text: text, g: t.grammar, t: t, trees: map[string]*parse.Tree{},
		derived: map[use]*derivation{}, calling: map[string]bool{}, assign: map[string]bool{}}
	tree := parse.New(mainName)
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(text, o.LeftDelim, o.RightDelim, p.trees); err != nil {
		return nil, p.syntaxError(err, blocks)
	}
	p.funcs = t.functions()
	return p, nil
}

// mainName is the main template's name in its set: one that no define has.
const mainName = "\x00main"

// template checks the trees and rewrites them.
func (p *parser) template() (*Template, error) {
	for _, name := range sortedNames(p.trees) {
		if err := p.checkCalls(p.trees[name].Root); err != nil {
			return nil, err
		}
	}
	all := p.t.hooks()
	for name, f := range p.funcs {
		all[name] = f
	}
	p.out = template.New(mainName).Option("missingkey=zero").Funcs(all)
	start := info{typ: rootType}
	d, err := p.derive(mainName, p.g.start, start, following{last: true})
	if err != nil {
		return nil, err
	}
	p.t.tmpl = p.out.Lookup(d.name)
	return p.t, nil
}

func sortedNames(trees map[string]*parse.Tree) []string {
	var names []string
	for n := range trees {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

var syntaxPlace = regexp.MustCompile(`^template: [^:]*:(\d+): (?s:(.*))$`)

// syntaxError turns text/template's parse error, which has a line only, into
// an Error that points at what it is about, as well as can be told.
func (p *parser) syntaxError(err error, blocks outline) error {
	m := syntaxPlace.FindStringSubmatch(err.Error())
	switch last := len(blocks.open) - 1; {
	case m == nil:
		return &Error{Name: p.Name, Line: 1, Column: 1, Message: err.Error()}
	case m[2] == "unexpected EOF" && last >= 0:
		open := blocks.open[last]
		return p.errorf(parse.Pos(open.pos), "", "%s%s%s has no %[1]send%[3]s", p.LeftDelim, open.word, p.RightDelim)
	case strings.HasPrefix(m[2], "unexpected {{") && blocks.surplus >= 0:
		return p.errorf(parse.Pos(blocks.surplus), "there is nothing open here", "%s", m[2])
	}
	line, _ := strconv.Atoi(m[1])
	e := &Error{Name: p.Name, Line: max(line, 1), Column: 1, Message: strings.ReplaceAll(m[2], mainName, p.Name)}
	lines := strings.SplitAfter(p.text, "\n")
	if line < 1 || line > len(lines) {
		return e
	}
	source := lines[line-1]
	for _, word := range quotedWords.FindAllStringSubmatch(e.Message, -1) {
		if i := strings.Index(source, cmp.Or(word[1], word[2])); i >= 0 {
			e.Column = i + 1
			return e
		}
	}
	e.Column = max(strings.Index(source, p.LeftDelim), 0) + 1
	return e
}

// quotedWords finds what a parse error quotes, or calls {{so}}.
var quotedWords = regexp.MustCompile(`"([^"]+)"|(\{\{.*\}\})`)

// errorf returns an Error at a byte offset.
func (p *parser) errorf(pos parse.Pos, hint, format string, args ...any) error {
	return errorAt(p.Name, p.text, int(pos), hint, format, args...)
}

// checkCalls finds calls that cannot be in n and below: of functions that do
// not exist, with too few or too many arguments, with filters that are none.
// It notes which variables are assigned to.
func (p *parser) checkCalls(n parse.Node) error {
	var errs []error
	walk(n, func(n parse.Node) {
		switch n := n.(type) {
		case *parse.IdentifierNode:
			if _, ok := p.funcs[n.Ident]; !ok && !slices.Contains(native, n.Ident) {
				errs = append(errs, p.errorf(n.Pos, functionHint(n.Ident, p.funcs), "there is no function %q", n.Ident))
			}
			if n.Ident == "set" || n.Ident == "unset" {
				p.t.mutates = true
			}
		case *parse.CommandNode:
			if err := p.checkFilters(n); err != nil {
				errs = append(errs, err)
			}
		case *parse.PipeNode:
			for i, cmd := range n.Cmds {
				if err := p.checkCount(cmd, len(cmd.Args)-1+min(i, 1)); err != nil {
					errs = append(errs, err)
				}
			}
			for _, v := range n.Decl {
				if n.IsAssign {
					p.assign[v.Ident[0]] = true
				}
			}
		}
	})
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// functionHint says what to use instead of a function that there is not.
func functionHint(name string, funcs template.FuncMap) string {
	switch name {
	case "now", "date", "dateInZone", "ago", "env", "expandenv", "getHostByName", "uuidv4", "shuffle", "randInt",
		"randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes":
		return "the same membership must always give the same bytes: there is no clock, environment, network or randomness"
	case "service":
		return "services \"web\" gives the services of a type that live members publish"
	case "key", "nodes", "env_":
		return "consul-template's functions are not here; use .Members or members \"role=api\""
	}
	return didYouMean(name, functionNames(funcs))
}

// walk calls f for n and all below it.
func walk(n parse.Node, f func(parse.Node)) {
	f(n)
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, f)
		walk(b.List, f)
		if b.ElseList != nil {
			walk(b.ElseList, f)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			walk(c, f)
		}
	case *parse.ActionNode:
		walk(n.Pipe, f)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, f)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, f)
		}
	case *parse.CommandNode:
		for _, a := range n.Args {
			walk(a, f)
		}
	case *parse.ChainNode:
		walk(n.Node, f)
	}
}

// isError finds the Error in err, if that is what it is about.
func isError(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}
