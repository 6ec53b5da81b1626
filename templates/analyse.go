package templates

import (
	"sort"
	"strings"
	"text/template/parse"
)

// maxVisited bounds the analysis: templates that call templates in many
// contexts multiply.
const maxVisited = 1_000_000

// A hole is a place where a template prints a value.
type hole struct {
	spot
	pos   parse.Pos
	expr  string
	blame blame
	vars  []string // the .Vars.NAME in expr, the last first

	get   getter // nil: by way of text/template
	needs need   // what get needs
}

// A blame says whose fault it is when a value is refused.
type blame uint8

const (
	author  blame = iota // constants, .Vars, .Self: nobody's but the rule's
	current              // the member that the scope is about
	several              // cannot be told from the template
)

// A following is the literal text after a place, as far as it is certain.
type following struct {
	text string
	last bool // the file ends after text
}

// A variable is a template's variable, with $ as a part of its name.
type variable struct {
	name  string
	info  info
	index int // the scope whose member's index it is
}

// An analysis looks through one template as it is used in one way.
type analysis struct {
	*parser
	dot     info
	scope   int // the scope at hand; 0: none. Its member is in the variable memberVar.
	scopes  int // how many there have been
	vars    []variable
	touched origin // of all that has been evaluated
	leaps   []leap // of the loops around, innermost last

	plainDot bool // the dot is that of a with that may be native
	needs    need // of what compile is compiling

	holes  map[*parse.ActionNode]hole
	scoped map[parse.Node]bool // ranges and withs that begin a scope
	conds  map[parse.Node]compiled
	listed map[*parse.RangeNode]bool // ranges over members
	kept   map[*parse.RangeNode]bool
	calls  map[*parse.TemplateNode]string
}

// A leap is where break and continue of a loop have come from.
type leap struct{ out, next []context }

func (a *analysis) list(c context, n *parse.ListNode, f following) (context, error) {
	if n == nil {
		return c, nil
	}
	for i, node := range n.Nodes {
		if a.visited++; a.visited > maxVisited {
			return c, a.errorf(node.Position(), "", "the template is too intricate")
		}
		next := following{}
		switch node := node.(type) {
		case *parse.ActionNode:
			if len(node.Pipe.Decl) == 0 {
				next = followingOf(n.Nodes[i+1:], f)
			}
		case *parse.IfNode, *parse.WithNode, *parse.RangeNode:
			next = followingOf(n.Nodes[i+1:], f)
		}
		var err error
		if c, err = a.node(c, node, next); err != nil {
			return c, err
		}
	}
	return c, nil
}

// followingOf returns what follows when rest is to come, and then f.
func followingOf(rest []parse.Node, f following) following {
	var text strings.Builder
	for _, n := range rest {
		switch n := n.(type) {
		case *parse.TextNode:
			text.Write(n.Text)
			continue
		case *parse.CommentNode:
			continue
		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 {
				continue
			}
		}
		return following{text: text.String()}
	}
	return following{text.String() + f.text, f.last}
}

func (a *analysis) node(c context, n parse.Node, f following) (context, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		if c.dead {
			return c, nil
		}
		return a.literal(c, n)
	case *parse.ActionNode:
		return a.action(c, n, f)
	case *parse.IfNode:
		return a.branch(c, n, &n.BranchNode, f)
	case *parse.WithNode:
		return a.branch(c, n, &n.BranchNode, f)
	case *parse.RangeNode:
		return a.loop(c, n, f)
	case *parse.TemplateNode:
		return a.call(c, n)
	case *parse.BreakNode:
		l := &a.leaps[len(a.leaps)-1]
		l.out = append(l.out, c)
		a.touched.shared = true
		c.dead = true
	case *parse.ContinueNode:
		l := &a.leaps[len(a.leaps)-1]
		l.next = append(l.next, c)
		a.touched.shared = true
		c.dead = true
	}
	return c, nil
}

// literal returns the context after literal text.
func (a *analysis) literal(c context, n *parse.TextNode) (context, error) {
	text := string(n.Text)
	end := a.g.scan(c, text)
	if end.state != barred {
		return end, nil
	}
	at := sort.Search(len(text), func(i int) bool { return a.g.scan(c, text[:i+1]).state == barred })
	return c, a.errorf(n.Pos+parse.Pos(at), "", "cannot print a value %s", end.word)
}

// endsIn reports whether what n prints comes from the function called name.
func endsIn(n *parse.PipeNode, name string) bool {
	f, ok := n.Cmds[len(n.Cmds)-1].Args[0].(*parse.IdentifierNode)
	return ok && f.Ident == name
}

// action notes a hole where n prints.
func (a *analysis) action(c context, n *parse.ActionNode, f following) (context, error) {
	x, err := a.pipe(n.Pipe)
	if err != nil || len(n.Pipe.Decl) > 0 || c.dead {
		return c, err
	}
	next, err := a.after(c, n.Pipe)
	if err != nil {
		return c, err
	}
	h := hole{pos: startOf(a.text, n.Pipe.Cmds[0].Args[0]), expr: n.Pipe.String(), vars: a.varsOf(n.Pipe)}
	h.spot = spot{context: c, port: followedByPort(f), limit: a.t.maxOutput}
	if a.g.ends != nil {
		h.whole = a.g.ends(c, f.text, f.last)
	}
	if a.g.limit != nil {
		h.most = a.g.limit(c, f.text)
	}
	switch {
	case x.from.owner == 0 && x.from.only(0):
		h.blame = author
	case a.scope != 0 && x.from.only(a.scope):
		h.blame, h.limit = current, maxValue
	default:
		h.blame = several
	}
	if err := a.printable(n.Pipe, x, h); err != nil {
		return c, err
	}
	h.get, h.needs = a.getter(n.Pipe)
	a.holes[n] = h
	return next, a.constant(n, h)
}

// after returns the context after the value that n prints at c.
func (a *analysis) after(c context, n *parse.PipeNode) (context, error) {
	if endsIn(n, "raw") {
		return a.afterRaw(c), nil
	}
	next, why := c, ""
	if c.state != lost {
		next, why = a.g.after(c)
	}
	if why != "" {
		return c, a.errorf(n.Pos, "put it elsewhere", "no value can be printed safely %s", why)
	}
	switch next.state {
	case lost:
		return c, a.errorf(n.Pos, rawHint, "cannot tell what a value would be here: %s", next.word)
	case barred:
		return c, a.errorf(n.Pos, "", "cannot print a value %s", next.word)
	}
	next.dead = endsIn(n, "fail")
	return next, nil
}

// afterRaw returns the context after a value that its author answers for, who
// may print it anywhere.
func (a *analysis) afterRaw(c context) context {
	if c.state == lost {
		return c
	}
	if a.g.afterRaw != nil {
		return a.g.afterRaw(c)
	}
	next, why := a.g.after(c)
	if why != "" {
		return c // as if it were not there
	}
	return next
}

const rawHint = "`raw` prints a value as it is"

// maxValue bounds the printed values of one member, in bytes.
const maxValue = 4 << 10

// followedByPort reports whether a colon and a port follow.
func followedByPort(f following) bool {
	rest, ok := strings.CutPrefix(f.text, ":")
	if !ok {
		return false
	}
	if rest == "" {
		return !f.last
	}
	return rest[0] >= '0' && rest[0] <= '9'
}

// constant refuses a constant that can never be printed where it stands.
func (a *analysis) constant(n *parse.ActionNode, h hole) error {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
		return nil
	}
	s, ok := n.Pipe.Cmds[0].Args[0].(*parse.StringNode)
	if !ok {
		return nil
	}
	if _, why := a.g.show(nil, &h.spot, &value{text: s.Text}); why != "" {
		return a.errorf(h.pos, rawHint, "cannot print %s %s: %s", quoted(s.Text), a.g.where(h.context), why)
	}
	return nil
}

// call looks through a template's call: through the template, as used here.
func (a *analysis) call(c context, n *parse.TemplateNode) (context, error) {
	var x info
	if n.Pipe != nil {
		var err error
		if x, err = a.pipe(n.Pipe); err != nil {
			return c, err
		}
	}
	if c.dead {
		return c, nil
	}
	if _, ok := a.trees[n.Name]; !ok {
		return c, a.errorf(n.Pos, didYouMean(n.Name, sortedNames(a.trees)), "there is no template %q", n.Name)
	}
	if a.calling[n.Name] {
		return c, a.errorf(n.Pos, "a template cannot call itself", "template %q is called while it is executed", n.Name)
	}
	d, err := a.derive(n.Name, c, x, following{})
	if err != nil {
		return c, err
	}
	a.calls[n] = d.name
	touched := d.touched
	touched.owner = 0 // a scope within, or x's own
	a.touched = a.touched.and(x.from).and(touched)
	return d.end, nil
}
