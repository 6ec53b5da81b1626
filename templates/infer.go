package templates

import (
	"slices"
	"text/template/parse"
)

// pipe returns what is known of a pipeline's value, and declares its
// variables.
func (a *analysis) pipe(n *parse.PipeNode) (info, error) {
	var x info
	for i, cmd := range n.Cmds {
		var err error
		if x, err = a.command(cmd, x, i > 0); err != nil {
			return x, err
		}
	}
	a.touched = a.touched.and(x.from)
	for _, v := range n.Decl {
		if n.IsAssign {
			a.touched.shared = true
			continue
		}
		a.vars = append(a.vars, variable{name: v.Ident[0]})
		a.know(len(a.vars)-1, x)
	}
	return x, nil
}

// know notes what is known of the i-th variable's value. Of one that is
// assigned to later, little is.
func (a *analysis) know(i int, x info) {
	if a.assign[a.vars[i].name] {
		x.typ, x.from.shared = anyType, true
	}
	a.vars[i].info = x
}

// command returns what is known of a command's value; piped is its last
// argument, if it has one.
func (a *analysis) command(n *parse.CommandNode, piped info, hasPiped bool) (info, error) {
	x, err := a.operand(n.Args[0])
	if err != nil {
		return x, err
	}
	var args []info
	from := x.from
	for _, arg := range n.Args[1:] {
		y, err := a.operand(arg)
		if err != nil {
			return x, err
		}
		args = append(args, y)
		from = from.and(y.from)
	}
	if hasPiped {
		args = append(args, piped)
		from = from.and(piped.from)
	}
	f, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok {
		if len(args) > 0 {
			x = info{from: from} // a method's result
		}
		return x, nil
	}
	return called(f.Ident, args, from, a.t.mutates), nil
}

// called returns what is known of a function's result.
func called(function string, args []info, from origin, mutates bool) info {
	switch function {
	case "members", "services":
		from.lists = true
	case "set", "unset":
		from.shared = true
	case "dict", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "deepCopy", "mustDeepCopy", "pick", "omit", "fromJson", "mustFromJson":
		from.shared = from.shared || mutates // what it will hold is not known yet
	}
	return info{resultOf(function, args), from}
}

// operand returns what is known of one argument's value.
func (a *analysis) operand(n parse.Node) (info, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return a.whole(a.dot), nil
	case *parse.FieldNode:
		return a.fields(n, a.dot, n.Ident)
	case *parse.VariableNode:
		x := a.variable(n.Ident[0])
		if len(n.Ident) == 1 {
			return a.whole(x), nil
		}
		return a.fields(n, x, n.Ident[1:])
	case *parse.ChainNode:
		x, err := a.operand(n.Node)
		if err != nil {
			return x, err
		}
		return a.fields(n, x, n.Field)
	case *parse.PipeNode:
		return a.pipe(n)
	case *parse.IdentifierNode:
		return called(n.Ident, nil, origin{}, a.t.mutates), nil
	case *parse.StringNode:
		return info{typ: stringType}, nil
	case *parse.NumberNode:
		return info{typ: intType}, nil
	}
	return info{}, nil
}

// whole returns x as a value passed on: the whole data holds everything.
func (a *analysis) whole(x info) info {
	if x.typ == rootType || x.typ == eachType {
		x.from = x.from.and(origin{lists: true, self: true})
	}
	return x
}

func (a *analysis) variable(name string) info {
	for _, v := range slices.Backward(a.vars) {
		if v.name == name {
			return v.info
		}
	}
	return info{from: origin{shared: true}}
}

func (a *analysis) fields(n parse.Node, x info, names []string) (info, error) {
	for _, name := range names {
		f, have, ok := x.field(name)
		if !ok {
			return f, a.fieldError(n, x, name, have)
		}
		x = f
	}
	return x, nil
}
