package templates

import (
	"reflect"
	"slices"
	"strings"

	"muster/cluster"
)

// A typ is what is known of a value before execution.
type typ uint8

const (
	anyType typ = iota
	rootType
	eachType
	varsType
	memberType
	membersType
	groupsType
	tagsType
	addrType
	stringType
	intType
	serviceType
	servicesType
)

// a names a type for messages.
func (t typ) a() string {
	return [...]string{"a value", "the data", ".Each", ".Vars", "a member", "a list of members", "a dictionary of members",
		"a dictionary of tags", "an address", "a text", "a number", "a service", "a list of services"}[t]
}

// empty returns a value of a type that is no text, a harmless one; nil for the
// types of which there are values to print, or may be.
func (t typ) empty() any {
	switch t {
	case rootType:
		return root{}
	case eachType:
		return each{}
	case memberType:
		return cluster.Member{}
	case membersType:
		return []cluster.Member{}
	case serviceType:
		return Service{Member: &cluster.Member{}}
	case servicesType:
		return []Service{}
	case groupsType, tagsType, varsType:
		return map[string]any{}
	}
	return nil
}

// An info is what is known of a value: its type and where it comes from.
type info struct {
	typ  typ
	from origin
}

// An origin says what a value depends on. The zero origin is what only the
// rule's author, this host's operator and constants decide.
type origin struct {
	owner  int  // the scope whose member it comes from; 0: none
	lists  bool // the lists of members
	self   bool // this node
	shared bool // several members, or what changes while the template runs
}

func (o origin) and(p origin) origin {
	if o.owner != 0 && p.owner != 0 && o.owner != p.owner {
		o.shared = true
	}
	return origin{max(o.owner, p.owner), o.lists || p.lists, o.self || p.self, o.shared || p.shared}
}

// only reports whether the value depends on nothing but scope's member and
// what the author decides.
func (o origin) only(scope int) bool {
	return !o.lists && !o.shared && (o.owner == 0 || o.owner == scope)
}

var (
	rootFields   = []string{"Members", "AllMembers", "Self", "Vars", "Rule", "Each"}
	eachFields   = []string{"Key", "Value"}
	memberFields = []string{"Name", "Addr", "Port", "Status", "Tags"}
	addrMethods  = methods(typeAddr)
)

func methods(t reflect.Type) []string {
	var names []string
	for i := range t.NumMethod() {
		m := t.Method(i)
		out := m.Type.NumOut()
		if (out == 1 || out == 2 && m.Type.Out(1) == reflect.TypeFor[error]()) && !strings.HasPrefix(m.Name, "Append") {
			names = append(names, m.Name)
		}
	}
	return names
}

// field returns what is known of the field name of a value of x; ok is false
// when there is none, and have lists those there are.
func (x info) field(name string) (f info, have []string, ok bool) {
	f.from = x.from
	switch x.typ {
	case anyType, varsType:
		return f, nil, true
	case tagsType:
		f.typ = stringType
		return f, nil, true
	case groupsType:
		f.typ = membersType
		return f, nil, true
	case rootType:
		f, ok = rootField(name)
		return f, rootFields, ok
	case eachType:
		f.from.lists = name == "Value"
		return f, eachFields, slices.Contains(eachFields, name)
	case memberType:
		f.typ, ok = memberField(name)
		return f, memberFields, ok
	case serviceType:
		f.typ = serviceField(name)
		return f, serviceFields, slices.Contains(serviceFields, name)
	case addrType:
		return f, addrMethods, slices.Contains(addrMethods, name)
	}
	return f, nil, false
}

func rootField(name string) (info, bool) {
	switch name {
	case "Members", "AllMembers":
		return info{membersType, origin{lists: true}}, true
	case "Self":
		return info{memberType, origin{self: true}}, true
	case "Vars":
		return info{typ: varsType}, true
	case "Rule":
		return info{typ: stringType}, true
	case "Each":
		return info{typ: eachType}, true
	}
	return info{}, false
}

func memberField(name string) (typ, bool) {
	switch name {
	case "Name", "Status":
		return stringType, true
	case "Addr":
		return addrType, true
	case "Port":
		return intType, true
	case "Tags":
		return tagsType, true
	}
	return anyType, false
}

func serviceField(name string) typ {
	switch name {
	case "IP":
		return anyType // not an address for sure
	case "Member":
		return memberType
	}
	return stringType
}

// element returns what is known of the keys and elements that a range over x
// gives; ok is false when there are none.
func (x info) element() (key, elem info, ok bool) {
	key.from, elem.from = x.from, x.from
	switch x.typ {
	case anyType, varsType:
		return key, elem, true
	case membersType:
		key.typ, elem.typ = intType, memberType
		return key, elem, true
	case servicesType:
		key.typ, elem.typ = intType, serviceType
		return key, elem, true
	case groupsType:
		key.typ, elem.typ = stringType, membersType
		return key, elem, true
	case tagsType:
		key.typ, elem.typ = stringType, stringType
		return key, elem, true
	case intType:
		key.typ, elem.typ = intType, intType
		return key, elem, true
	}
	return key, elem, false
}

// resultOf returns what is known of a call's result, apart from its origin.
func resultOf(function string, args []info) typ {
	first := anyType
	if len(args) > 0 {
		first = args[0].typ
	}
	switch function {
	case "members", "shuffleFor":
		return membersType
	case "services":
		return servicesType
	case "groupBy", "groupByItem":
		return groupsType
	case "first", "last", "mustFirst", "mustLast":
		if first == membersType {
			return memberType
		}
	case "rest", "initial", "reverse", "uniq", "compact", "without", "slice":
		if first == membersType {
			return membersType
		}
	case "index":
		switch {
		case first == membersType && len(args) == 2, first == groupsType && len(args) == 3:
			return memberType
		case first == groupsType && len(args) == 2:
			return membersType
		case first == tagsType && len(args) == 2:
			return stringType
		}
	}
	return anyType
}
