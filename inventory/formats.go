package inventory

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"muster/cluster"
)

// List is the inventory as an inventory script prints it for --list, to be
// encoded as JSON: each group's hosts, and below _meta every host's variables,
// so that Ansible does not ask for each host in turn. The source of the form
// is Ansible's "Developing dynamic inventory".
func (inv Inventory) List() map[string]any {
	list := map[string]any{
		"_meta": map[string]any{"hostvars": inv.Hosts},
		"all":   map[string]any{"children": inv.groups()},
	}
	for name, hosts := range inv.Groups {
		list[name] = map[string]any{"hosts": hosts}
	}
	if lone := inv.ungrouped(); len(lone) > 0 {
		list["ungrouped"] = map[string]any{"hosts": lone} // Ansible knows no host but those of groups
	}
	return list
}

// ungrouped are the names of the hosts that are in no group, sorted.
func (inv Inventory) ungrouped() []string {
	lone := maps.Clone(inv.Hosts)
	for _, hosts := range inv.Groups {
		for _, host := range hosts {
			delete(lone, host)
		}
	}
	return slices.Sorted(maps.Keys(lone))
}

// groups are the names of the groups, sorted, an empty list if there is none.
func (inv Inventory) groups() []string {
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(inv.Groups))))
}

// YAML is the inventory as a file for Ansible's inventory plugin yaml. What
// came from members is between double quotes, in which YAML and Go escape
// alike, and the values of tags are marked !unsafe.
func (inv Inventory) YAML() []byte {
	var out bytes.Buffer
	out.WriteString("all:\n  hosts:" + none(len(inv.Hosts)) + "\n")
	for _, name := range slices.Sorted(maps.Keys(inv.Hosts)) {
		writeHost(&out, inv.Hosts[name])
	}
	if len(inv.Groups) > 0 {
		out.WriteString("  children:\n")
	}
	for _, group := range inv.groups() {
		fmt.Fprintf(&out, "    %s:\n      hosts:%s\n", quoteGroup(group), none(len(inv.Groups[group])))
		for _, host := range inv.Groups[group] {
			fmt.Fprintf(&out, "        %s:\n", strconv.Quote(host))
		}
	}
	return out.Bytes()
}

// none is the empty mapping where there are none of something.
func none(n int) string {
	if n == 0 {
		return " {}"
	}
	return ""
}

// quoteGroup is the name of a group as a key: between quotes if it is a play's
// and could be a number or a truth value there.
func quoteGroup(name string) string {
	if groupName(name) == name && (strings.Contains(name, "_") || slices.Contains(cluster.Statuses, cluster.Status(name))) {
		return name
	}
	return strconv.Quote(name)
}

// writeHost writes a host and its variables below `hosts:` of `all:`.
func writeHost(out *bytes.Buffer, v Vars) {
	fmt.Fprintf(out, "    %s:\n", strconv.Quote(v.Name))
	fmt.Fprintf(out, "      ansible_host: %s\n", strconv.Quote(v.Address))
	fmt.Fprintf(out, "      serf_name: %s\n", strconv.Quote(v.Name))
	fmt.Fprintf(out, "      serf_status: %s\n", strconv.Quote(string(v.Status)))
	if len(v.Tags) == 0 {
		out.WriteString("      serf_tags: {}\n")
		return
	}
	out.WriteString("      serf_tags:\n")
	for _, key := range slices.Sorted(maps.Keys(v.Tags)) {
		fmt.Fprintf(out, "        %s: !unsafe %s\n", strconv.Quote(key), strconv.Quote(v.Tags[key].Text))
	}
}

// INI is the inventory as a hosts file in Ansible's INI form: hosts with their
// addresses, then groups. There is no marking a value as unsafe in it, so that
// no tag is a variable.
func (inv Inventory) INI() []byte {
	var out bytes.Buffer
	out.WriteString("# The live members of a cluster, made by muster inventory.\n")
	for _, name := range slices.Sorted(maps.Keys(inv.Hosts)) {
		fmt.Fprintf(&out, "%s ansible_host=%s\n", name, inv.Hosts[name].Address)
	}
	for _, group := range inv.groups() {
		fmt.Fprintf(&out, "\n[%s]\n", group)
		for _, host := range inv.Groups[group] {
			fmt.Fprintln(&out, host)
		}
	}
	return out.Bytes()
}
