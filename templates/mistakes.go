package templates

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

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

// checkCount checks how many arguments a function is given.
func (p *parser) checkCount(n *parse.CommandNode, count int) error {
	f, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok || p.funcs[f.Ident] == nil {
		return nil
	}
	t := reflect.TypeOf(p.funcs[f.Ident])
	want, least := t.NumIn(), ""
	if t.IsVariadic() {
		want, least = want-1, "at least "
	}
	if count == want || count > want && t.IsVariadic() {
		return nil
	}
	noun := "arguments"
	if want == 1 {
		noun = "argument"
	}
	return p.errorf(f.Pos, "", "%s takes %s%d %s, not %d", f.Ident, least, want, noun, count)
}

// checkFilters checks the constants that the function members is given: each
// for itself, and all together.
func (p *parser) checkFilters(n *parse.CommandNode) error {
	if f, ok := n.Args[0].(*parse.IdentifierNode); !ok || f.Ident != "members" || p.CheckFilter == nil {
		return nil
	}
	var all []string
	for _, arg := range n.Args[1:] {
		s, ok := arg.(*parse.StringNode)
		if !ok {
			continue
		}
		if err := p.CheckFilter(s.Text); err != nil {
			return p.errorf(s.Pos, "", "%v", err)
		}
		all = append(all, s.Text)
	}
	if err := p.CheckFilter(strings.Join(all, " ")); err != nil {
		return p.errorf(n.Args[0].Position(), "", "%v", err)
	}
	return nil
}

// printable refuses to print what is known not to be a text, such as a whole
// member, where the format has no notation for it.
func (a *analysis) printable(n *parse.PipeNode, x info, h hole) error {
	empty := x.typ.empty()
	if empty == nil {
		return nil
	}
	if _, why := a.g.show(nil, &h.spot, &value{kind: isOther, other: empty}); why == "" {
		return nil
	}
	expr := n.String()
	if len(n.Cmds) > 1 || n.Cmds[0].Args[0].Type() == parse.NodeIdentifier {
		expr = "(" + expr + ")"
	}
	what, hint := x.typ.a(), partOf(x.typ, expr)
	if x.typ == varsType || x.typ == eachType {
		what = "a dictionary"
	}
	hint = strings.NewReplacer("{{", a.LeftDelim, "}}", a.RightDelim).Replace(hint)
	return a.errorf(h.pos, hint, "cannot print %s: it is %s", n, what)
}

// partOf says what of a value of type t can be printed.
func partOf(t typ, expr string) string {
	field := strings.TrimSuffix(expr, ".") // of the dot: .Name
	switch t {
	case membersType:
		return fmt.Sprintf("range over it: {{range %s}}{{.Name}}{{end}}", expr)
	case servicesType:
		return fmt.Sprintf("range over it: {{range %s}}{{.IP}}:{{.Port}}{{end}}", expr)
	case serviceType:
		return fmt.Sprintf("print a field: {{%s.Type}}", field)
	case groupsType:
		return fmt.Sprintf("range over it: {{range $key, $members := %s}}{{$key}}{{end}}", expr)
	case tagsType, varsType:
		return fmt.Sprintf("print one of them: {{%s.NAME}}", field)
	case eachType:
		return fmt.Sprintf("print a field: {{%s.Key}}", field)
	case memberType:
		return fmt.Sprintf("print a field: {{%s.Name}}", field)
	}
	return fmt.Sprintf("print a field: {{%s.Rule}}", field)
}

// varsOf names the vars that a pipeline takes, the last first.
func (a *analysis) varsOf(n *parse.PipeNode) (vars []string) {
	walk(n, func(n parse.Node) {
		x, path := info{}, []string{}
		switch n := n.(type) {
		case *parse.FieldNode:
			x, path = a.dot, n.Ident
		case *parse.VariableNode:
			x, path = a.variable(n.Ident[0]), n.Ident[1:]
		}
		if x.typ == rootType && len(path) > 0 {
			x, _ = rootField(path[0])
			path = path[1:]
		}
		if x.typ == varsType && len(path) > 0 {
			vars = slices.Insert(vars, 0, path[0])
		}
	})
	return vars
}
