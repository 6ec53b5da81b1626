package inventory

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"muster/cluster"
)

// Plays says which groups an inventory is to have.
type Plays struct {
	Tag      string           // whose items say in which groups a member is
	Names    []string         // groups, or hosts; there even if they are empty
	Patterns []*regexp.Regexp // of the names of groups, for those that are not empty
}

// errNamesake is about a name that a playbook uses and that two of them claim:
// Ansible would take the host, whoever it is, for the whole group.
var errNamesake = errors.New("it is called like a group that others are in, and nobody can tell whom a play means: the group is empty; change the tag, or the member's name")

// For is the inventory with the groups of plays, filled with the members whose
// tag has the group's name among its items, and, as Of names groups, with
// those of KEY_VALUE or a status. Names are compared as Ansible would have
// them: nginx-web and nginx_web are one name, spelled as the plays do. What
// members is about are again those that are alive, or with all all of them.
func For(members []cluster.Member, all bool, plays Plays) (Inventory, []Refusal) {
	proper, refused := properOf(members, all)
	names := map[string]bool{}
	for _, m := range members {
		names[m.Name] = true
	}
	byGroup := map[string][]string{}
	for _, m := range proper {
		for group := range playGroups(m, plays.Tag) {
			byGroup[group] = append(byGroup[group], m.Name)
		}
	}
	inv := Inventory{Hosts: map[string]Vars{}, Groups: map[string][]string{}}
	namesakes := map[string]bool{}
	for _, name := range plays.Names {
		hosts := byGroup[groupName(name)]
		switch {
		case len(hosts) == 0 && (names[name] || strings.Contains(name, ".")):
			// A host; also one that is not there, for groups have no dots.
		case names[name] && !slices.Equal(hosts, []string{name}):
			namesakes[name] = true
			inv.Groups[name] = []string{}
		default:
			inv.Groups[name] = slices.Clone(hosts)
		}
	}
	for name := range matching(proper, plays) {
		if !names[name] {
			inv.Groups[name] = slices.Clone(byGroup[groupName(name)])
		}
	}
	for name := range namesakes {
		refused = append(refused, Refusal{Member: name, Reason: errNamesake})
	}
	for _, m := range proper {
		if !namesakes[m.Name] {
			vars, without := variables(m)
			inv.Hosts[m.Name], refused = vars, append(refused, without...)
		}
	}
	for name, hosts := range inv.Groups {
		inv.Groups[name] = append([]string{}, slices.DeleteFunc(hosts, func(host string) bool { return namesakes[host] })...)
	}
	sortRefusals(refused)
	return inv, refused
}

// playGroups are the groups that a member is in, under the names that Ansible
// would have.
func playGroups(m cluster.Member, tag string) map[string]bool {
	groups := map[string]bool{}
	for _, group := range groupsOf(m) {
		groups[group] = true
	}
	for item := range items(m, tag) {
		groups[groupName(item)] = true
	}
	return groups
}

// items are those of a member's tag.
func items(m cluster.Member, tag string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(m.Tags[tag], ",") {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}

// plain is a group's name that can be written as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// matching are the names of groups that members are in and that a pattern of
// the plays matches.
func matching(members []cluster.Member, plays Plays) map[string]bool {
	found := map[string]bool{}
	if len(plays.Patterns) == 0 {
		return found
	}
	tried := map[string]bool{"_meta": true, "all": true, "ungrouped": true, "localhost": true}
	for _, m := range members {
		candidates := slices.Collect(maps.Keys(playGroups(m, plays.Tag)))
		for item := range items(m, plays.Tag) {
			if plain.MatchString(item) {
				candidates = append(candidates, item)
			}
		}
		for _, name := range candidates {
			if !tried[name] && slices.ContainsFunc(plays.Patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) }) {
				found[name] = true
			}
			tried[name] = true
		}
	}
	return found
}

// WithoutNamesakes is the inventory without the hosts that are called like one
// of its groups, and who they are. In JSON and YAML Ansible has the groups
// before it reads the variables of hosts, and takes those of such a host for
// the group's. In an INI file hosts come first.
func (inv Inventory) WithoutNamesakes() (Inventory, []Refusal) {
	without := Inventory{Hosts: maps.Clone(inv.Hosts), Groups: map[string][]string{}}
	var refused []Refusal
	for _, name := range slices.Sorted(maps.Keys(inv.Hosts)) {
		if _, group := inv.Groups[name]; group {
			delete(without.Hosts, name)
			refused = append(refused, Refusal{Member: name, Reason: errGroup})
		}
	}
	for group, hosts := range inv.Groups {
		without.Groups[group] = append([]string{}, slices.DeleteFunc(slices.Clone(hosts), func(host string) bool {
			_, there := without.Hosts[host]
			return !there
		})...)
	}
	return without, refused
}
