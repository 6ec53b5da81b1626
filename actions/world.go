package actions

import (
	"muster/cluster"
	"muster/rules"
)

// A world is the latest view, and what follows from it for all rules.
type world struct {
	view    cluster.View
	version uint64 // of the view; counts up from 1
	alive   int    // members
}

// A sight is what one rule sees of the world, worked out when it is wanted and
// kept as long as the view stays.
type sight struct {
	rule      *rules.Rule
	selection *rules.Selection
	selected  cluster.View // up to which selection is
	seen      bool
	version   uint64

	eligible        map[string]bool // members on which the rule is in force
	eligibleVersion uint64
}

// members returns those that the rule selects.
func (s *sight) members(w *world, now nowFunc) []cluster.Member {
	if !s.seen {
		s.selection = s.rule.NewSelection()
	}
	if s.version != w.version {
		s.selection.Update(now(), w.view, w.view.Diff(s.selected))
		s.seen, s.selected, s.version = true, w.view, w.version
	}
	return s.selection.Members()
}

// inForce reports whether the rule is in force on m, a live member.
func (s *sight) inForce(w *world, m cluster.Member) bool {
	if s.eligible == nil || s.eligibleVersion != w.version {
		s.eligible, s.eligibleVersion = map[string]bool{}, w.version
		for _, m := range w.view.Members {
			if m.Status == cluster.Alive && s.rule.InForce(m) {
				s.eligible[m.Name] = true
			}
		}
	}
	return s.eligible[m.Name]
}

// leads reports whether of the nodes on which the rule is in force this one
// is to act on e. Members that e is about count only if there are no others:
// nodes that have heard e and nodes that have seen it in their view would
// choose differently.
func (s *sight) leads(w *world, e cluster.Event, member *cluster.Member) bool {
	k := keyOf(s.rule.Name, e)
	name := k.rule + "\x00" + e.Type + "\x00" + k.name + "\x00" + string(k.sum[:])
	if member != nil {
		name += "\x00" + member.Name
	} else {
		name += "\x00" + string(appendNumber(nil, e.LTime))
	}
	leaders := w.view.Leaders(name, 1, func(m cluster.Member) bool {
		return (member == nil || m.Name != member.Name) && s.inForce(w, m)
	})
	if len(leaders) == 0 {
		leaders = w.view.Leaders(name, 1, func(m cluster.Member) bool { return s.inForce(w, m) })
	}
	return len(leaders) > 0 && leaders[0].Name == w.view.Self
}
