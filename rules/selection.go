package rules

import (
	"slices"
	"strings"
	"time"

	"muster/cluster"
)

// A Selection is the members that a rule is about, kept up to date from view
// to view: of what changed only the changed members are matched again, unless
// the rule's `where` looks at other members too. A member that failed stays
// until its grace has ended. It is not safe for concurrent use.
type Selection struct {
	rule    *Rule
	started bool
	epoch   uint64
	self    string
	members []cluster.Member
	// before is what was selected when the epoch changed. A new epoch's first
	// views may lack members, or show them as failed, that the old one had.
	before []cluster.Member
	graced map[string]grace
}

// A grace is the respite of a member that failed. It is kept past its end, as
// long as the member stays failed, so that it is given once.
type grace struct {
	until  time.Time
	status cluster.Status // with which it was selected
}

// NewSelection returns a selection that has seen no view yet.
func (r *Rule) NewSelection() *Selection {
	return &Selection{rule: r, graced: map[string]grace{}}
}

// Members returns the selected members, sorted by name. The slice is
// read-only, and another one whenever something changed.
func (s *Selection) Members() []cluster.Member { return s.members }

// Update takes in the view v, which differs from the one of the call before
// by changes, as View.Diff lists them; with the first view, and after a change
// of epoch, changes are not looked at. changed says whether Members did
// change; it is true the first time. If wake is not zero, a grace ends then: call Update again, with the
// latest view and whatever changed until then.
func (s *Selection) Update(now time.Time, v cluster.View, changes []cluster.Change) (changed bool, wake time.Time) {
	in := s.scope(v)
	if s.started && v.Epoch != s.epoch && len(s.before) == 0 {
		s.before = s.members
	}
	if !s.started || v.Epoch != s.epoch || s.concernsAll(v, changes) {
		changed = s.all(now, v, in)
	} else {
		changed = s.some(now, v, changes, in)
	}
	s.started, s.epoch, s.self = true, v.Epoch, v.Self
	if v.Settled {
		s.before = nil
	}
	for name, g := range s.graced {
		if _, known := v.Member(name); !known && v.Settled {
			delete(s.graced, name)
		} else if g.until.After(now) && (wake.IsZero() || g.until.Before(wake)) {
			wake = g.until
		}
	}
	return changed, wake
}

// scope returns what the rule's `where` sees; nil if there is none.
func (s *Selection) scope(v cluster.View) *scope {
	if s.rule.members.where == nil {
		return nil
	}
	view := v // so that only this branch has it on the heap
	return &scope{view: &view}
}

// concernsAll reports whether changes may alter what `where` says of members
// that did not change.
func (s *Selection) concernsAll(v cluster.View, changes []cluster.Change) bool {
	where := s.rule.members.where
	if where == nil || len(changes) == 0 && v.Self == s.self {
		return false
	}
	if where.uses&useMembers != 0 {
		return true
	}
	return where.uses&useSelf != 0 && (v.Self != s.self ||
		slices.ContainsFunc(changes, func(c cluster.Change) bool { return c.Name() == v.Self }))
}

// all matches every member of v.
func (s *Selection) all(now time.Time, v cluster.View, in *scope) bool {
	var out []cluster.Member
	for i := range v.Members {
		switch m := &v.Members[i]; {
		case !s.decide(now, m, in):
		case len(out) == i: // all of them up to here: share the view's own slice
			out = v.Members[: i+1 : i+1]
		default:
			out = append(out, *m)
		}
	}
	if s.started && slices.EqualFunc(out, s.members, cluster.Member.Equal) {
		return false
	}
	s.members = out
	return true
}

// some matches the members that changed, and drops those whose grace ended.
func (s *Selection) some(now time.Time, v cluster.View, changes []cluster.Change, in *scope) bool {
	var edits []edit
	for _, c := range changes {
		edits = s.edit(edits, c.Name(), c.New, c.New != nil && s.decide(now, c.New, in))
	}
	for name, g := range s.graced {
		if !g.until.After(now) {
			edits = s.edit(edits, name, nil, false)
		}
	}
	if len(edits) == 0 {
		return false
	}
	s.members = applyEdits(s.members, edits, v.Members)
	return true
}

// decide reports whether m is selected, and keeps the book of graces.
func (s *Selection) decide(now time.Time, m *cluster.Member, in *scope) bool {
	if s.rule.members.match(m, in) {
		delete(s.graced, m.Name)
		return true
	}
	length := s.rule.Guard.Grace
	if length == 0 || m.Status != cluster.Failed {
		delete(s.graced, m.Name)
		return false
	}
	g, ok := s.graced[m.Name]
	if !ok {
		was, selected := s.previous(m.Name)
		if !selected {
			return false
		}
		g = grace{until: now.Add(length), status: was.Status}
		s.graced[m.Name] = g
	}
	if !g.until.After(now) {
		return false
	}
	as := *m
	as.Status = g.status // it stays if it would still match, had it not failed
	return s.rule.members.match(&as, in)
}

// previous returns the member called name as it was last selected.
func (s *Selection) previous(name string) (cluster.Member, bool) {
	if i, ok := find(s.members, name); ok {
		return s.members[i], true
	}
	if i, ok := find(s.before, name); ok {
		return s.before[i], true
	}
	return cluster.Member{}, false
}

func find(ms []cluster.Member, name string) (int, bool) {
	return slices.BinarySearchFunc(ms, name, func(m cluster.Member, name string) int { return strings.Compare(m.Name, name) })
}

// An edit puts a member in its place, or takes it out.
type edit struct {
	name   string
	member *cluster.Member // nil: out
}

// edit appends what must be done so that the member called name is selected,
// or is not: nothing, if that is how it is.
func (s *Selection) edit(edits []edit, name string, m *cluster.Member, selected bool) []edit {
	i, is := find(s.members, name)
	switch {
	case selected && !(is && s.members[i].Equal(*m)):
		return append(edits, edit{name, m})
	case !selected && is:
		return append(edits, edit{name, nil})
	}
	return edits
}

// applyEdits returns a new slice: old with edits applied. If the result is
// the whole view, it is the view's own slice.
func applyEdits(old []cluster.Member, edits []edit, whole []cluster.Member) []cluster.Member {
	slices.SortStableFunc(edits, func(a, b edit) int { return strings.Compare(a.name, b.name) })
	edits = slices.CompactFunc(edits, func(a, b edit) bool { return a.name == b.name })
	size := len(old)
	for _, e := range edits {
		_, is := find(old, e.name)
		switch {
		case e.member == nil:
			size--
		case !is:
			size++
		}
	}
	if size == len(whole) {
		return whole
	}
	out := make([]cluster.Member, 0, size)
	for _, e := range edits {
		i, is := find(old, e.name)
		out = append(out, old[:i]...)
		if is {
			i++
		}
		old = old[i:]
		if e.member != nil {
			out = append(out, *e.member)
		}
	}
	return append(out, old...)
}
