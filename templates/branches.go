package templates

import "text/template/parse"

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
// a member, a member's service, or may be one, that a refusal can be blamed on.
func (a *analysis) enter(x info) bool {
	begins := x.from.lists && (x.typ == memberType || x.typ == serviceType || x.typ == anyType)
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
		a.listed[n] = a.scoped[n] && x.typ == membersType
		a.kept[n] = a.listed[n] && len(a.leaps) == 0 && a.keeps(n)
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
		if a.scoped[n] {
			a.vars[mark].index = a.scope
		}
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
