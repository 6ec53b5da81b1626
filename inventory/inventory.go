// Package inventory tells Ansible who the members of a cluster are: hosts,
// groups by status and by tag, and variables. It is pure, the same members
// give the same bytes, and nothing that a member says of itself becomes a
// template for Ansible, which would run it on the control node. Where the
// members come from is left to the caller.
package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"muster/cluster"
)

// An Inventory is what Ansible is told.
type Inventory struct {
	Hosts  map[string]Vars
	Groups map[string][]string // the names of the hosts of each, sorted
}

// Vars are the variables of one host.
type Vars struct {
	Address string            `json:"ansible_host"` // an IPv6 address is without brackets
	Name    string            `json:"serf_name"`
	Status  cluster.Status    `json:"serf_status"`
	Tags    map[string]Unsafe `json:"serf_tags"`
}

// Unsafe is text that Ansible never takes for a template, in the form that
// ansible.parsing.ajson reads from an inventory script.
type Unsafe struct {
	Text string `json:"__ansible_unsafe"`
}

// A Refusal is why the inventory leaves out a member, or a tag of it.
type Refusal struct {
	Member string
	Reason error
}

func (r Refusal) String() string { return fmt.Sprintf("member %q: %v", r.Member, r.Reason) }

// Of is the inventory of the members that are alive, or with all of all of
// them, and what it leaves out, in the order of the members' names. Each name
// occurs once among the members.
func Of(members []cluster.Member, all bool) (Inventory, []Refusal) {
	proper, refused := properOf(members, all)
	taken := groupNames(proper)
	inv := Inventory{Hosts: map[string]Vars{}, Groups: map[string][]string{}}
	for _, m := range proper {
		if taken[m.Name] {
			refused = append(refused, Refusal{Member: m.Name, Reason: errGroup})
			continue
		}
		vars, without := variables(m)
		inv.Hosts[m.Name], refused = vars, append(refused, without...)
		for _, group := range groupsOf(m) {
			inv.Groups[group] = append(inv.Groups[group], m.Name)
		}
	}
	sortRefusals(refused)
	return inv, refused
}

func sortRefusals(refused []Refusal) {
	slices.SortStableFunc(refused, func(a, b Refusal) int { return strings.Compare(a.Member, b.Member) })
}

// properOf are the members that can be hosts, sorted by name: of those that
// are alive, or with all of all of them. The others are refused.
func properOf(members []cluster.Member, all bool) (proper []cluster.Member, refused []Refusal) {
	listed := slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return !all && m.Status != cluster.Alive })
	cluster.SortMembers(listed)
	// Where anybody is elsewhere, loopback is the host that reads it.
	loopback := !slices.ContainsFunc(listed, func(m cluster.Member) bool { return !m.Addr.Unmap().IsLoopback() })
	proper = slices.DeleteFunc(listed, func(m cluster.Member) bool {
		err := check(m, loopback)
		if err != nil {
			refused = append(refused, Refusal{Member: m.Name, Reason: err})
		}
		return err != nil
	})
	return proper, refused
}

// Ansible keeps what it is told of a host that is called like a group as the
// variables of that group.
var errGroup = errors.New("a group has this name, and Ansible would take its address for that of every host in the group")

// anotherMeaning are the names that mean something else to Ansible.
var anotherMeaning = map[string]string{
	"all":       "the group of all hosts",
	"ungrouped": "the group of the hosts in no other",
	"localhost": "the control node",
	"127.0.0.1": "the control node",
}

// varsFile are the endings of the files in which Ansible looks for the
// variables of a host.
var varsFile = regexp.MustCompile(`\.(?i:ya?ml|json)$`)

// check reports why a member cannot be a host. Its port does not matter: it is
// Serf's, and a list that a person wrote may do without.
func check(m cluster.Member, loopback bool) error {
	m.Port = cmp.Or(m.Port, 1)
	if _, err := m.Check(loopback); err != nil {
		return err
	}
	if meaning := anotherMeaning[m.Name]; meaning != "" {
		return fmt.Errorf("to Ansible the name is that of %s", meaning)
	}
	if ending := varsFile.FindString(m.Name); ending != "" {
		return fmt.Errorf("to Ansible its variables are those of another host: host_vars/%s is the file of %q, too", m.Name, strings.TrimSuffix(m.Name, ending))
	}
	if m.Addr.Zone() != "" {
		return errors.New("its address has a zone, which is another one on every host")
	}
	return nil
}

// variables are those of a member's host, and the tags that it is without.
func variables(m cluster.Member) (Vars, []Refusal) {
	vars := Vars{Address: m.Addr.Unmap().String(), Name: m.Name, Status: m.Status, Tags: map[string]Unsafe{}}
	var refused []Refusal
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		if !properKey(key) {
			refused = append(refused, Refusal{m.Name, fmt.Errorf("its tag %q: %w", key, errKey)})
			continue
		}
		vars.Tags[key] = Unsafe{strings.ToValidUTF8(m.Tags[key], "\uFFFD")}
	}
	return vars, refused
}

// There is no marking the key of a variable as no template.
var errKey = errors.New("the key has something else than letters, digits and _.:/@+-")

// properKey reports whether a tag's key can stand in a variable.
func properKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.:/@+-", r))
	})
}
