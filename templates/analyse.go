package templates

import (
	"fmt"
	"slices"
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

	get    getter // nil: by way of text/template
	dotted bool   // get needs the dot of a with
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
	name string
	info info
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
	dotted   bool // what compile has just compiled uses it

	holes  map[*parse.ActionNode]hole
	scoped map[parse.Node]bool // ranges and withs that begin a scope
	conds  map[parse.Node]compiled
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
		var err error
		if c, err = a.node(c, node, a.followingOf(n.Nodes[i+1:], f)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// followingOf returns what follows when rest is to come, and then f.
func (a *analysis) followingOf(rest []parse.Node, f following) following {
	for i, n := range rest {
		switch n := n.(type) {
		case *parse.TextNode:
			after := a.followingOf(rest[i+1:], f)
			return following{string(n.Text) + after.text, after.last}
		case *parse.CommentNode:
			continue
		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 {
				continue
			}
		}
		return following{}
	}
	return f
}

func (a *analysis) node(c context, n parse.Node, f following) (context, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		if c.dead {
			return c, nil
		}
		return a.g.scan(c, string(n.Text)), nil
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

// action notes a hole where n prints.
func (a *analysis) action(c context, n *parse.ActionNode, f following) (context, error) {
	x, err := a.pipe(n.Pipe)
	if err != nil || len(n.Pipe.Decl) > 0 || c.dead {
		return c, err
	}
	if c.state == lost {
		return c, a.errorf(n.Pipe.Pos, rawHint, "cannot tell what a value would be here: %s", c.word)
	}
	next, why := a.g.after(c)
	if why != "" {
		return c, a.errorf(n.Pipe.Pos, "put it elsewhere", "no value can be printed safely %s", why)
	}
	h := hole{pos: startOf(a.text, n.Pipe.Cmds[0].Args[0]), expr: n.Pipe.String()}
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
	h.get, h.dotted = a.getter(n.Pipe)
	a.holes[n] = h
	return next, a.constant(n, h)
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

// branch looks through if and with.
func (a *analysis) branch(c context, n parse.Node, b *parse.BranchNode, f following) (context, error) {
	mark, dot, scope, plain := len(a.vars), a.dot, a.scope, a.plainDot
	x, err := a.pipe(b.Pipe)
	if err != nil {
		return c, err
	}
	vars := len(a.vars)
	a.conds[n] = a.compile(b.Pipe)
	if _, ok := n.(*parse.WithNode); ok {
		a.scoped[n] = a.enter(x)
		a.plainDot = a.conds[n].get != nil
		if len(b.Pipe.Decl) == 1 && !b.Pipe.IsAssign {
			a.know(vars-1, a.dot)
		}
	}
	yes, err := a.list(c, b.List, f)
	if err != nil {
		return c, err
	}
	a.vars, a.dot, a.scope, a.plainDot = a.vars[:vars], dot, scope, plain
	no, err := a.list(c, b.ElseList, f)
	if err != nil {
		return c, err
	}
	a.vars = a.vars[:mark]
	joined, ok := a.g.joined(yes, no)
	if !ok {
		return c, a.errorf(b.Pipe.Pos, "let both end alike", "the branches end in different places: %s, and %s",
			a.g.where(yes), a.g.where(no))
	}
	return joined, nil
}

// enter makes x the dot. It reports whether that begins a scope: whether x is
// a member, or may be one, that a refusal can be blamed on.
func (a *analysis) enter(x info) bool {
	begins := x.from.lists && (x.typ == memberType || x.typ == anyType)
	if begins {
		a.scopes++
		a.scope = a.scopes
		x.from = origin{owner: a.scope}
	}
	a.dot = x
	return begins
}

// loop looks through a range until its end is a place where it can begin.
func (a *analysis) loop(c context, n *parse.RangeNode, f following) (context, error) {
	mark, dot, scope, plain := len(a.vars), a.dot, a.scope, a.plainDot
	x, err := a.pipe(n.Pipe)
	if err != nil {
		return c, err
	}
	key, elem, ok := x.element()
	if !ok {
		return c, a.errorf(startOf(a.text, n.Pipe.Cmds[0].Args[0]), "", "cannot range over %s: it is %s", n.Pipe, x.typ.a())
	}
	outside := a.touched
	vars := len(a.vars)
	start := c
	for tries := 0; ; tries++ {
		a.touched, a.leaps = origin{}, append(a.leaps, leap{})
		a.scoped[n] = a.enter(elem)
		a.plainDot = false
		a.loopVars(n, mark, key)
		end, err := a.list(start, n.List, following{})
		if err != nil {
			return c, err
		}
		l := a.leaps[len(a.leaps)-1]
		a.leaps = a.leaps[:len(a.leaps)-1]
		a.kept[n] = !a.plain && a.scoped[n] && x.typ == membersType && len(a.leaps) == 0 && a.keeps(n)
		a.vars, a.dot, a.scope, a.plainDot = a.vars[:vars], dot, scope, plain
		begin, err := a.joinAll(n, start, append(append(l.next, end), l.out...))
		if err != nil {
			return c, err
		}
		if begin == start {
			break
		}
		if start = begin; tries == 4 {
			return c, a.errorf(n.Pipe.Pos, "", "cannot tell where the body of range begins")
		}
	}
	a.touched = a.touched.and(outside)
	if a.scoped[n] {
		a.touched.owner, a.touched.lists = outside.owner, true
	}
	no, err := a.list(c, n.ElseList, f)
	if err != nil {
		return c, err
	}
	a.vars = a.vars[:mark]
	return a.joinAll(n, start, []context{no})
}

// loopVars declares a range's variables, from mark on.
func (a *analysis) loopVars(n *parse.RangeNode, mark int, key info) {
	decl := n.Pipe.Decl
	if len(decl) == 0 || n.Pipe.IsAssign {
		return
	}
	a.know(mark+len(decl)-1, a.dot)
	if len(decl) == 2 {
		a.know(mark, key)
	}
}

func (a *analysis) joinAll(n *parse.RangeNode, c context, cs []context) (context, error) {
	for _, d := range cs {
		joined, ok := a.g.joined(c, d)
		if !ok {
			return c, a.errorf(n.Pipe.Pos, "let it end where it begins", "the body of range begins %s and ends %s",
				a.g.where(c), a.g.where(d))
		}
		c = joined
	}
	return c, nil
}

// keeps reports whether the output of n's body for one member can be kept
// until that member, .Vars or .Rule changes: whether it depends on nothing
// else. What is ranged over must be a list sorted by name.
func (a *analysis) keeps(n *parse.RangeNode) bool {
	if a.touched.self || !a.touched.only(a.scope) || len(n.Pipe.Decl) > 1 || n.Pipe.IsAssign || len(n.Pipe.Cmds) != 1 || a.t.mutates {
		return false
	}
	args := n.Pipe.Cmds[0].Args
	switch arg := args[0].(type) {
	case *parse.FieldNode:
		return len(arg.Ident) == 1 && len(args) == 1
	case *parse.VariableNode:
		return len(arg.Ident) == 2 && arg.Ident[0] == "$" && len(args) == 1
	case *parse.IdentifierNode:
		return arg.Ident == "members"
	}
	return false
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

// startOf returns where the text of n begins. text/template gives a chain of
// fields the place of its second.
func startOf(text string, n parse.Node) parse.Pos {
	var first string
	switch n := n.(type) {
	case *parse.FieldNode:
		if len(n.Ident) > 1 {
			first = "." + n.Ident[0]
		}
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			first = n.Ident[0]
		}
	case *parse.ChainNode:
		return startOf(text, n.Node)
	case *parse.PipeNode:
		return startOf(text, n.Cmds[0].Args[0])
	}
	pos := int(n.Position())
	if at := pos - len(first); at >= 0 && pos <= len(text) && strings.HasPrefix(text[at:], first) {
		return parse.Pos(at)
	}
	return n.Position()
}

// fieldError says that x has no field name.
func (a *analysis) fieldError(n parse.Node, x info, name string, have []string) error {
	pos := startOf(a.text, n)
	if i := strings.Index(a.text[pos:], "."+name); i >= 0 && i < 200 {
		pos += parse.Pos(i)
	}
	hint := didYouMean(name, have)
	switch {
	case x.typ == membersType:
		hint = "range over it, or take one with index"
	case x.typ == rootType && slices.Contains(memberFields, name):
		hint = fmt.Sprintf("a member has one: {{range .Members}}{{.%s}}{{end}}", name)
	case x.typ == memberType && slices.Contains(rootFields, name):
		hint = fmt.Sprintf("within range write $.%s", name)
	case hint != "":
		hint = strings.Replace(hint, `"`, `".`, 1)
	case len(have) > 0 && len(have) < 10:
		hint = "there is ." + strings.Join(have, " .")
	}
	return a.errorf(pos, hint, "%s has no field .%s", x.typ.a(), name)
}
