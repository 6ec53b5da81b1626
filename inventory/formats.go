package inventory

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	return list
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
	if len(inv.Hosts) == 0 {
		return []byte("all:\n  hosts: {}\n")
	}
	out.WriteString("all:\n  hosts:\n")
	for _, name := range slices.Sorted(maps.Keys(inv.Hosts)) {
		writeHost(&out, inv.Hosts[name])
	}
	out.WriteString("  children:\n")
	for _, group := range inv.groups() {
		fmt.Fprintf(&out, "    %s:\n      hosts:\n", group)
		for _, host := range inv.Groups[group] {
			fmt.Fprintf(&out, "        %s:\n", strconv.Quote(host))
		}
	}
	return out.Bytes()
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
