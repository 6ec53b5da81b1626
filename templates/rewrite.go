package templates

import (
	"slices"
	"text/template/parse"
)

// A rewriting puts what an analysis found into the tree.
type rewriting struct {
	*analysis
	native bool // segments may be made: memberVar holds the scope's member
	has    need // what the segment that is being made can give its expressions
}

func (r *rewriting) list(l *parse.ListNode) *parse.ListNode {
	if l == nil {
		return nil
	}
	var nodes []parse.Node
	for i := 0; i < len(l.Nodes); i++ {
		if segment, n := r.segment(l.Nodes[i:], false); n > 0 {
			r.t.segments = append(r.t.segments, segment)
			pos := l.Nodes[i].Position()
			nodes = append(nodes, declare(pos, sinkVar, ident(pos, nativeHook), integer(pos, len(r.t.segments)-1), member(pos)))
			i += n - 1
			continue
		}
		switch n := l.Nodes[i].(type) {
		case *parse.ActionNode:
			nodes = append(nodes, r.action(n)...)
		case *parse.IfNode:
			n.List, n.ElseList = r.list(n.List), r.list(n.ElseList)
			nodes = append(nodes, n)
		case *parse.WithNode:
			n.List, n.ElseList = r.within(n.List, r.scoped[n]), r.list(n.ElseList)
			if r.scoped[n] {
				n.List.Nodes = slices.Insert(n.List.Nodes, 0, declare(n.Pos, memberVar, dot(n.Pos)))
			}
			nodes = append(nodes, n)
		case *parse.RangeNode:
			n.ElseList = r.list(n.ElseList)
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

// within rewrites the body of a with or a range, which may begin a scope.
func (r *rewriting) within(l *parse.ListNode, scope bool) *parse.ListNode {
	in := &rewriting{analysis: r.analysis, native: r.native || scope && !r.plain}
	return in.list(l)
}

// segment returns the segment that nodes begin with, and of how many nodes.
// In a branch of one it takes text alone for one too.
func (r *rewriting) segment(nodes []parse.Node, branch bool) (s segment, n int) {
	if !r.native {
		return nil, 0
	}
	useful := branch
	for ; n < len(nodes); n++ {
		p, ok := r.piece(nodes[n])
		if !ok {
			break
		}
		if p.text == nil {
			useful = true
		} else if len(p.text) == 0 {
			continue
		}
		s = append(s, p)
	}
	if !useful {
		return nil, 0
	}
	return s, n
}

func (r *rewriting) piece(n parse.Node) (piece, bool) {
	switch n := n.(type) {
	case *parse.TextNode:
		return piece{text: n.Text}, true
	case *parse.CommentNode:
		return piece{text: []byte{}}, true
	case *parse.ActionNode:
		h, ok := r.holes[n]
		if !ok || h.get == nil || h.needs&^r.has != 0 {
			return piece{}, false
		}
		r.t.holes = append(r.t.holes, h)
		return piece{hole: len(r.t.holes) - 1}, true
	case *parse.IfNode:
		return r.branch(n, &n.BranchNode, false)
	case *parse.WithNode:
		return r.branch(n, &n.BranchNode, true)
	}
	return piece{}, false
}

// branch makes a piece of an if or a with all of which is native.
func (r *rewriting) branch(n parse.Node, b *parse.BranchNode, with bool) (piece, bool) {
	c, ok := r.conds[n]
	if !ok || c.get == nil || c.needs&^r.has != 0 || len(b.Pipe.Decl) > 0 || r.scoped[n] {
		return piece{}, false
	}
	in := r
	if with {
		in = &rewriting{r.analysis, r.native, r.has | needsDot}
	}
	p := &branch{cond: c.get, with: with, pos: startOf(r.text, b.Pipe), expr: b.Pipe.String()}
	if p.yes, ok = in.whole(b.List); !ok {
		return piece{}, false
	}
	if p.no, ok = r.whole(b.ElseList); !ok {
		return piece{}, false
	}
	return piece{branch: p}, true
}

// whole makes a segment of all of l.
func (r *rewriting) whole(l *parse.ListNode) (segment, bool) {
	if l == nil {
		return nil, true
	}
	s, n := r.segment(l.Nodes, true)
	return s, n == len(l.Nodes)
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
		args = append(args, member(n.Pos))
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: args})
	n.Pipe.Decl = sink(n.Pos)
	return []parse.Node{n}
}

// loop counts a range's iterations. Where its output is kept between
// executions, or text/template is not needed for it, it becomes a block: it
// renders what changed only, and prints the whole after.
func (r *rewriting) loop(n *parse.RangeNode) []parse.Node {
	body := segment(nil)
	native := false
	if r.listed[n] && !r.plain {
		in := &rewriting{r.analysis, true, needsIndex}
		body, native = in.whole(n.List)
	}
	n.List = r.within(n.List, r.scoped[n])
	if native || r.kept[n] && !r.plain {
		r.t.blocks = append(r.t.blocks, blockCode{native: native, body: body, keep: r.kept[n]})
		return r.block(n, integer(n.Pos, len(r.t.blocks)-1))
	}
	first := hook(n.Pos, tickHook)
	if r.scoped[n] {
		first = declare(n.Pos, memberVar, ident(n.Pos, enterHook), dot(n.Pos))
	}
	n.List.Nodes = slices.Insert(n.List.Nodes, 0, first)
	return []parse.Node{n}
}

// block makes a block of a range.
func (r *rewriting) block(n *parse.RangeNode, id parse.Node) []parse.Node {
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos,
		Args: []parse.Node{ident(n.Pos, changeHook), id}})
	n.List.Nodes = slices.Insert(n.List.Nodes, 0, declare(n.Pos, memberVar, ident(n.Pos, beginHook), id, dot(n.Pos)))
	emit := &parse.IfNode{BranchNode: parse.BranchNode{NodeType: parse.NodeIf, Pos: n.Pos, Line: n.Line,
		Pipe: pipeline(n.Pos, nil, ident(n.Pos, emitHook), id),
		List: &parse.ListNode{NodeType: parse.NodeList, Pos: n.Pos}, ElseList: n.ElseList}}
	n.ElseList = nil
	return []parse.Node{n, emit}
}
