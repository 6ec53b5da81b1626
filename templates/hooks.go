package templates

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"muster/cluster"
)

// hooks returns the functions that rewriting calls. Each returns something,
// as text/template wants, and prints for itself.
func (t *Template) hooks() template.FuncMap {
	return template.FuncMap{
		printHook: func(id int, v reflect.Value) (bool, error) {
			t.run.value = valueOf(v)
			return true, t.run.print(id, nil, &t.run.value)
		},
		memberHook: func(id int, member, v reflect.Value) (bool, error) {
			m := ownerOf(member)
			t.run.value = valueOf(v)
			return true, t.run.print(id, m, &t.run.value)
		},
		nativeHook: func(id int, member reflect.Value) (bool, error) {
			t.run.current = ownerOf(member)
			return true, t.run.native(t.segments[id])
		},
		tickHook: func() bool {
			t.spend(1)
			return true
		},
		enterHook: func(v reflect.Value) reflect.Value {
			t.spend(1)
			return v
		},
		changeHook: func(id int, list reflect.Value) (reflect.Value, error) { return t.run.change(id, list) },
		beginHook: func(id int, member reflect.Value) reflect.Value {
			t.spend(1)
			t.run.begin(id)
			return member
		},
		emitHook: func(id int) (bool, error) { return t.run.emit(id) },
	}
}

// print prints a value into a hole, or notes why not. m is the member that
// the scope is about, or nil.
func (r *run) print(id int, m *cluster.Member, v *value) error {
	out, why := r.t.grammar.show(r.out, &r.t.holes[id].spot, v)
	r.out = out
	if why == "" {
		return r.bounded()
	}
	return r.refuse(id, m, v, why)
}

// refuse notes that a value is not printed. It is an error when that is
// nobody's fault but the author's.
func (r *run) refuse(id int, m *cluster.Member, v *value, why string) error {
	h := &r.t.holes[id]
	line, column := place(r.t.text, int(h.pos))
	u := Refusal{Line: line, Column: column, Expr: bounded(h.expr), Value: v.quoted(), Reason: why}
	mine := h.blame == current && m != nil
	switch {
	case h.blame == author && !r.memberVars || mine && r.blamesAuthor(h, m, v):
		e := r.cannotPrint(h, v, why)
		e.EachKey = r.data.HasEach && r.putInto(h, v)(r.data.EachKey)
		return e
	case mine:
		u.Member = m.Name
		note(r.refused, u)
		if r.block != nil {
			note(r.block.refused, u)
		}
	default:
		if _, known := r.unclear[id]; !known {
			r.unclear[id] = suspicion{u, *v}
		}
	}
	return nil
}

// cannotPrint says that v is refused at h, and why.
func (r *run) cannotPrint(h *hole, v *value, why string) *Error {
	expr := bounded(h.expr)
	missing := v.kind == isNull || v.kind == isBad && v.text == ""
	if !missing {
		return r.t.errorf(int(h.pos), rawHint, "cannot print %s: %s: %s", expr, v.quoted(), why)
	}
	for _, name := range h.vars {
		if _, ok := r.vars[name]; !ok {
			return r.noVar(h, expr, name)
		}
	}
	return r.t.errorf(int(h.pos), "say what to print instead: `default`", "cannot print %s: %s", expr, why)
}

// noVar says that there is nothing to print at h for want of a var.
func (r *run) noVar(h *hole, expr, name string) *Error {
	names := slices.Sorted(maps.Keys(r.vars))
	has := "it is empty"
	if len(names) > 0 {
		has = "it has " + bounded(strings.Join(names, ", "))
	}
	hint := cmp.Or(didYouMean(name, names), "say what to print instead: `default`")
	e := r.t.errorf(int(h.pos), hint, "cannot print %s: .Vars has no %s; %s", expr, quoted(name), has)
	e.NoVar = name
	return e
}

// quoted returns a value for messages.
func (v *value) quoted() string {
	switch v.kind {
	case isNull:
		return "null"
	case isOther:
		return "a " + kindOf(v.other)
	}
	return quoted(v.text)
}

// note adds a refusal, unless its member has been refused before.
func note(refused map[string]Refusal, why Refusal) {
	if _, known := refused[why.Member]; !known {
		refused[why.Member] = why
	}
}

// blamesAuthor reports whether it is .Vars or .Each.Key and not the member that
// has put what is refused into v at h: whether a string of theirs stands in it
// that is refused there by itself, and none of the member's does.
func (r *run) blamesAuthor(h *hole, m *cluster.Member, v *value) bool {
	bad := r.putInto(h, v)
	return !r.anyOf(m, bad) && (anyString(r.vars, bad) || bad(r.data.EachKey))
}

// putInto returns a test of a string: whether it stands in v and is refused
// at h by itself.
func (r *run) putInto(h *hole, v *value) func(string) bool {
	return func(s string) bool {
		if s == "" || !strings.Contains(v.text, s) {
			return false
		}
		if v.kind == isBad {
			return s == v.text
		}
		_, why := r.t.grammar.show(nil, &h.spot, &value{text: s})
		return why != ""
	}
}

// anyOf reports whether f holds for the name or a tag of m, or for what the
// template was told of its services.
func (r *run) anyOf(m *cluster.Member, f func(string) bool) bool {
	for k, v := range m.Tags {
		if f(k) || f(v) {
			return true
		}
	}
	return f(m.Name) || r.anyOffered(m, f)
}

// anyString reports whether f holds for a string in v.
func anyString(v any, f func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return anyString(e, f) })
	case map[string]any:
		for _, e := range v {
			if anyString(e, f) {
				return true
			}
		}
	}
	return false
}
