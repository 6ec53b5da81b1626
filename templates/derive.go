package templates

import (
	"fmt"
	"slices"
	"strconv"
	"text/template/parse"
)

// A use is a way in which a template is used: it is escaped for each apart.
type use struct {
	name string
	at   context
	dot  info
}

// A derivation is a template rewritten for a use.
type derivation struct {
	name    string // in the set of rewritten templates
	end     context
	touched origin
}

// callerScope is the owner, within a template, of a dot that comes from a
// member of the caller's.
const callerScope = 1

// derive returns the template called name, rewritten to stand at c with dot x.
func (p *parser) derive(name string, c context, x info, f following) (*derivation, error) {
	if x.from.owner != 0 {
		x.from.owner = callerScope
	}
	u := use{name, c, x}
	if d, ok := p.derived[u]; ok {
		return d, nil
	}
	p.calling[name] = true
	defer delete(p.calling, name)

	tree := p.trees[name].Copy()
	a := &analysis{parser: p, dot: x, scopes: callerScope, holes: map[*parse.ActionNode]hole{},
		scoped: map[parse.Node]bool{}, kept: map[*parse.RangeNode]bool{}, calls: map[*parse.TemplateNode]string{}}
	begins := x.typ == memberType && x.from.owner != 0
	if begins {
		a.scope = callerScope
	} else {
		begins = a.enter(x)
	}
	a.vars = []variable{{"$", a.dot}}
	end, err := a.list(c, tree.Root, f)
	if err != nil {
		return nil, err
	}
	r := &rewriting{analysis: a}
	tree.Root = r.list(tree.Root)
	if begins {
		tree.Root.Nodes = slices.Insert(tree.Root.Nodes, 0, declare(tree.Root.Pos, memberVar, &parse.DotNode{NodeType: parse.NodeDot}))
	}
	tree.Root.Nodes = slices.Insert(tree.Root.Nodes, 0, hook(tree.Root.Pos, tickHook))
	d := &derivation{name: fmt.Sprintf("%s\x00%d", name, len(p.derived)), end: end, touched: a.touched}
	if _, err := p.out.AddParseTree(d.name, tree); err != nil {
		return nil, err
	}
	p.derived[u] = d
	return d, nil
}

// The names of what rewriting adds; none that a template could write.
const (
	memberVar = "$\x00member" // the scope's member
	sinkVar   = "$\x00"       // takes what a hook returns: nothing is printed

	printHook  = "_print"  // print HOLE VALUE
	memberHook = "_member" // print HOLE MEMBER VALUE
	tickHook   = "_tick"   // counts an execution of a template or a loop's body
	enterHook  = "_enter"  // likewise; returns its argument
	changeHook = "_change" // RANGE LIST: the members of LIST to render again
	beginHook  = "_begin"  // RANGE MEMBER: begins a member's output
	emitHook   = "_emit"   // RANGE: prints the kept and the new; whether there are members
)

// A rewriting puts what an analysis found into the tree.
type rewriting struct{ *analysis }

func (r *rewriting) list(l *parse.ListNode) *parse.ListNode {
	if l == nil {
		return nil
	}
	var nodes []parse.Node
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			nodes = append(nodes, r.action(n)...)
		case *parse.IfNode:
			n.List, n.ElseList = r.list(n.List), r.list(n.ElseList)
			nodes = append(nodes, n)
		case *parse.WithNode:
			n.List, n.ElseList = r.list(n.List), r.list(n.ElseList)
			if r.scoped[n] {
				n.List.Nodes = slices.Insert(n.List.Nodes, 0, declare(n.Pos, memberVar, &parse.DotNode{NodeType: parse.NodeDot}))
			}
			nodes = append(nodes, n)
		case *parse.RangeNode:
			n.List, n.ElseList = r.list(n.List), r.list(n.ElseList)
			nodes = append(nodes, r.loop(n)...)
		case *parse.TemplateNode:
			if name, ok := r.calls[n]; ok {
				n.Name = name
				nodes = append(nodes, n)
			}
		default:
			nodes = append(nodes, n)
		}
	}
	l.Nodes = nodes
	return l
}

// action makes an action that prints give its value to a hook instead. One
// without a hole is never reached, and left out.
func (r *rewriting) action(n *parse.ActionNode) []parse.Node {
	if len(n.Pipe.Decl) > 0 {
		return []parse.Node{n}
	}
	h, ok := r.holes[n]
	if !ok {
		return nil
	}
	r.t.holes = append(r.t.holes, h)
	args := []parse.Node{ident(n.Pos, printHook), integer(n.Pos, len(r.t.holes)-1)}
	if h.blame == current {
		args[0] = ident(n.Pos, memberHook)
		args = append(args, &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: []string{memberVar}})
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: args})
	n.Pipe.Decl = sink(n.Pos)
	return []parse.Node{n}
}

// loop counts a range's iterations and, where its output is kept between
// executions, makes it render what changed only and print the whole after.
func (r *rewriting) loop(n *parse.RangeNode) []parse.Node {
	dot := &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}
	if !r.kept[n] {
		first := hook(n.Pos, tickHook)
		if r.scoped[n] {
			first = declare(n.Pos, memberVar, ident(n.Pos, enterHook), dot)
		}
		n.List.Nodes = slices.Insert(n.List.Nodes, 0, first)
		return []parse.Node{n}
	}
	id := integer(n.Pos, r.t.blocks)
	r.t.blocks++
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos,
		Args: []parse.Node{ident(n.Pos, changeHook), id}})
	n.List.Nodes = slices.Insert(n.List.Nodes, 0, declare(n.Pos, memberVar, ident(n.Pos, beginHook), id, dot))
	emit := &parse.IfNode{BranchNode: parse.BranchNode{NodeType: parse.NodeIf, Pos: n.Pos, Line: n.Line,
		Pipe: pipeline(n.Pos, nil, ident(n.Pos, emitHook), id),
		List: &parse.ListNode{NodeType: parse.NodeList, Pos: n.Pos}, ElseList: n.ElseList}}
	n.ElseList = nil
	return []parse.Node{n, emit}
}

func ident(pos parse.Pos, name string) parse.Node { return parse.NewIdentifier(name).SetPos(pos) }

func integer(pos parse.Pos, i int) parse.Node {
	return &parse.NumberNode{NodeType: parse.NodeNumber, Pos: pos, IsInt: true, Int64: int64(i), Text: strconv.Itoa(i)}
}

func variables(pos parse.Pos, name string) []*parse.VariableNode {
	return []*parse.VariableNode{{NodeType: parse.NodeVariable, Pos: pos, Ident: []string{name}}}
}

func sink(pos parse.Pos) []*parse.VariableNode { return variables(pos, sinkVar) }

func pipeline(pos parse.Pos, decl []*parse.VariableNode, args ...parse.Node) *parse.PipeNode {
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Decl: decl,
		Cmds: []*parse.CommandNode{{NodeType: parse.NodeCommand, Pos: pos, Args: args}}}
}

// declare makes {{$name := args}}.
func declare(pos parse.Pos, name string, args ...parse.Node) parse.Node {
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: pipeline(pos, variables(pos, name), args...)}
}

// hook makes {{name}}, printing nothing.
func hook(pos parse.Pos, name string) parse.Node { return declare(pos, sinkVar, ident(pos, name)) }
