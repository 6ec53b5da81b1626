package templates

import (
	"slices"
	"strconv"
	"text/template/parse"

	"muster/cluster"
)

// A need is what an expression needs besides the member and .Vars.
type need uint8

const (
	needsDot   need = 1 << iota // the dot of a with: run.dot
	needsIndex                  // the index of the member in the list: run.index
)

// A compiled is an expression made of a pipeline; get is nil when that is not
// simple enough.
type compiled struct {
	get   expression
	needs need
}

// compile makes an expression of a pipeline.
func (a *analysis) compile(n *parse.PipeNode) compiled {
	a.needs = 0
	e := a.nativePipe(n)
	return compiled{e, a.needs}
}

// getter returns how to get a pipeline's value for printing.
func (a *analysis) getter(n *parse.PipeNode) (getter, need) {
	if len(n.Cmds) == 1 && len(n.Cmds[0].Args) == 1 {
		if get := a.memberField(n.Cmds[0].Args[0]); get != nil {
			return get, 0
		}
	}
	c := a.compile(n)
	if c.get == nil {
		return nil, 0
	}
	return func(r *run, m *cluster.Member) value { return valueOfAny(c.get(r, m)) }, c.needs
}

// memberPath returns the fields of the scope's member that n names.
func (a *analysis) memberPath(n parse.Node) (path []string, ok bool) {
	mine := func(x info) bool { return x.typ == memberType && x.from == origin{owner: a.scope} && a.scope != 0 }
	switch n := n.(type) {
	case *parse.FieldNode:
		return n.Ident, mine(a.dot)
	case *parse.VariableNode:
		return n.Ident[1:], mine(a.variable(n.Ident[0]))
	}
	return nil, false
}

// memberField returns how to get a field of the scope's member.
func (a *analysis) memberField(n parse.Node) getter {
	path, ok := a.memberPath(n)
	switch {
	case !ok:
	case len(path) == 2 && path[0] == "Tags":
		key := path[1]
		return func(_ *run, m *cluster.Member) value { return value{text: m.Tags[key]} }
	case len(path) != 1:
	case path[0] == "Name":
		return func(_ *run, m *cluster.Member) value { return value{text: m.Name} }
	case path[0] == "Status":
		return func(_ *run, m *cluster.Member) value { return value{text: string(m.Status)} }
	case path[0] == "Addr":
		return func(_ *run, m *cluster.Member) value { return value{kind: isAddr, addr: m.Addr} }
	case path[0] == "Port":
		return func(_ *run, m *cluster.Member) value {
			return value{kind: isNumber, text: strconv.Itoa(int(m.Port))}
		}
	}
	return nil
}

func (a *analysis) nativePipe(n *parse.PipeNode) expression {
	if len(n.Decl) > 0 {
		return nil
	}
	var e expression
	for i, cmd := range n.Cmds {
		var args []expression
		for _, arg := range cmd.Args[1:] {
			args = append(args, a.native(arg))
		}
		if i > 0 {
			args = append(args, e)
		}
		if f, ok := cmd.Args[0].(*parse.IdentifierNode); ok {
			e = nativeCall(f.Ident, a.funcs[f.Ident], args)
		} else if e = a.native(cmd.Args[0]); len(args) > 0 {
			e = nil
		}
		if e == nil {
			return nil
		}
	}
	return e
}

func (a *analysis) native(n parse.Node) expression {
	constant := func(v any) expression { return func(*run, *cluster.Member) any { return v } }
	switch n := n.(type) {
	case *parse.StringNode:
		return constant(n.Text)
	case *parse.BoolNode:
		return constant(n.True)
	case *parse.NumberNode:
		if n.IsInt {
			return constant(int(n.Int64))
		}
	case *parse.PipeNode:
		return a.nativePipe(n)
	case *parse.VariableNode:
		if a.indexVar(n) {
			a.needs |= needsIndex
			return func(r *run, _ *cluster.Member) any { return r.index }
		}
		if n.Ident[0] == "$" && a.variable("$").typ == rootType {
			return varsField(n.Ident[1:])
		}
		return a.nativeField(n)
	case *parse.FieldNode:
		return a.nativeField(n)
	case *parse.DotNode:
		if a.plainDot {
			a.needs |= needsDot
			return func(r *run, _ *cluster.Member) any { return r.dot }
		}
	}
	return nil
}

// indexVar reports whether n is the index of the scope's member.
func (a *analysis) indexVar(n *parse.VariableNode) bool {
	for _, v := range slices.Backward(a.vars) {
		if v.name == n.Ident[0] {
			return len(n.Ident) == 1 && a.scope != 0 && v.index == a.scope && !a.assign[v.name]
		}
	}
	return false
}

func (a *analysis) nativeField(n parse.Node) expression {
	path, ok := a.memberPath(n)
	switch {
	case !ok:
	case len(path) == 0:
		return func(_ *run, m *cluster.Member) any { return m }
	case len(path) == 2 && path[0] == "Tags":
		key := path[1]
		return func(_ *run, m *cluster.Member) any { return m.Tags[key] }
	case len(path) != 1:
	case path[0] == "Name":
		return func(_ *run, m *cluster.Member) any { return m.Name }
	case path[0] == "Status":
		return func(_ *run, m *cluster.Member) any { return m.Status }
	case path[0] == "Addr":
		return func(_ *run, m *cluster.Member) any { return m.Addr }
	case path[0] == "Port":
		return func(_ *run, m *cluster.Member) any { return m.Port }
	}
	return nil
}

// varsField returns how to get $.Vars, $.Vars.NAME or $.Rule.
func varsField(path []string) expression {
	switch {
	case len(path) == 2 && path[0] == "Vars":
		key := path[1]
		return func(r *run, _ *cluster.Member) any { return r.vars[key] }
	case len(path) == 1 && path[0] == "Vars":
		return func(r *run, _ *cluster.Member) any { return r.vars }
	case len(path) == 1 && path[0] == "Rule":
		return func(r *run, _ *cluster.Member) any { return r.data.Rule }
	}
	return nil
}

// nativeCall returns a call of f, if it is one of the functions that are
// worth it: those that templates need to print ports and weights.
func nativeCall(name string, f any, args []expression) expression {
	if slices.ContainsFunc(args, func(e expression) bool { return e == nil }) {
		return nil
	}
	arg := func(i int, r *run, m *cluster.Member) any { return args[i](r, m) }
	switch f := f.(type) {
	case func(any) any: // port
		if len(args) == 1 {
			return func(r *run, m *cluster.Member) any { return f(arg(0, r, m)) }
		}
	case func(any) string: // lower, upper, trim, toString, …
		if len(args) == 1 {
			return func(r *run, m *cluster.Member) any { return f(arg(0, r, m)) }
		}
	case func(any, any) (string, error): // tag
		if len(args) == 2 {
			return func(r *run, m *cluster.Member) any { return must(f(arg(0, r, m), arg(1, r, m))) }
		}
	case func(any, any) bool: // contains, hasPrefix, hasSuffix
		if len(args) == 2 {
			return func(r *run, m *cluster.Member) any { return f(arg(0, r, m), arg(1, r, m)) }
		}
	case func(any, any) (any, error): // like, unlike
		if len(args) == 2 {
			return func(r *run, m *cluster.Member) any { return must(f(arg(0, r, m), arg(1, r, m))) }
		}
	case func(any, any) (bool, error): // hasKey
		if len(args) == 2 {
			return func(r *run, m *cluster.Member) any { return must(f(arg(0, r, m), arg(1, r, m))) }
		}
	case func(any, any, any) any: // between
		if len(args) == 3 {
			return func(r *run, m *cluster.Member) any { return f(arg(0, r, m), arg(1, r, m), arg(2, r, m)) }
		}
	case func(any, ...any) any: // default
		if len(args) == 2 && name == "default" {
			return func(r *run, m *cluster.Member) any { return f(arg(0, r, m), arg(1, r, m)) }
		}
	}
	return nil
}

// must panics with a function's error; native takes it from there.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
