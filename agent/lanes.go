package agent

import (
	"slices"
	"strings"
)

// A lane is a set of rules that must not be converged at the same time in two
// passes, because they run the same check or reload: one nginx -t would judge
// the other's half-made files.
type lane struct {
	rules []*state // in the rule set's order
	keys  []string // what a pass of the lane keeps busy: rule names and argvs
}

// lanes divides the rules into the smallest lanes.
func lanes(rules []*state) []*lane {
	owner := map[string]*lane{}
	var all []*lane
	for _, s := range rules {
		l := &lane{rules: []*state{s}}
		for _, key := range s.keys() {
			l.keys = append(l.keys, key)
			if o := owner[key]; o != nil && o != l {
				o.rules = append(o.rules, l.rules...)
				o.keys = append(o.keys, l.keys...)
				all = slices.DeleteFunc(all, func(x *lane) bool { return x == l })
				for k, v := range owner {
					if v == l {
						owner[k] = o
					}
				}
				l = o
			}
			owner[key] = l
		}
		if !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	for _, l := range all {
		slices.Sort(l.keys)
		l.keys = slices.Compact(l.keys)
	}
	return all
}

// keys are what a pass of the rule keeps busy. Converging a rule under a new
// rule set waits for a pass of the old one under the same name.
func (s *state) keys() []string {
	keys := []string{"rule\x00" + s.rule.Name}
	for _, argv := range s.rule.shared() {
		keys = append(keys, "command\x00"+strings.Join(argv, "\x00"))
	}
	return keys
}
