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
		scoped: map[parse.Node]bool{}, conds: map[parse.Node]compiled{}, listed: map[*parse.RangeNode]bool{}, kept: map[*parse.RangeNode]bool{}, calls: map[*parse.TemplateNode]string{}}
	begins := x.typ == memberType && x.from.owner != 0
	if begins {
		a.scope = callerScope
	} else {
		begins = a.enter(x)
	}
	a.vars = []variable{{name: "$", info: a.dot}}
	end, err := a.list(c, tree.Root, f)
	if err != nil {
		return nil, err
	}
	r := &rewriting{analysis: a, native: begins && !p.plain}
	tree.Root = r.list(tree.Root)
	if begins {
		tree.Root.Nodes = slices.Insert(tree.Root.Nodes, 0, declare(tree.Root.Pos, memberVar, dot(tree.Root.Pos)))
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
	nativeHook = "_native" // SEGMENT MEMBER: prints it
	changeHook = "_change" // RANGE LIST: the members of LIST to render again
	beginHook  = "_begin"  // RANGE MEMBER: begins a member's output
	emitHook   = "_emit"   // RANGE: prints the kept and the new; whether there are members
)

func ident(pos parse.Pos, name string) parse.Node { return parse.NewIdentifier(name).SetPos(pos) }

func dot(pos parse.Pos) parse.Node { return &parse.DotNode{NodeType: parse.NodeDot, Pos: pos} }

func member(pos parse.Pos) parse.Node {
	return &parse.VariableNode{NodeType: parse.NodeVariable, Pos: pos, Ident: []string{memberVar}}
}

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
