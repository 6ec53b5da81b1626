package inventory

import (
	"slices"
	"strings"

	"muster/cluster"
)

// groupsOf are the names of the groups that a member is in, sorted: its
// status, and KEY_VALUE for each of its tags, or for each item of one that is
// a list, apart by commas. A group made of a tag has a _ in its name, so that
// no tag can make one that is called like a status.
func groupsOf(m cluster.Member) []string {
	names := []string{string(m.Status)}
	for key, value := range m.Tags {
		if !properKey(key) {
			continue
		}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				names = append(names, groupName(key+"_"+item))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// groupNames are the names of all their groups, and of those that others could
// be in.
func groupNames(members []cluster.Member) map[string]bool {
	names := map[string]bool{}
	for _, status := range cluster.Statuses {
		names[string(status)] = true
	}
	for _, m := range members {
		for _, group := range groupsOf(m) {
			names[group] = true
		}
	}
	return names
}

// groupName is text as the name of a group, which Ansible wants to look like
// that of a variable: letters become small, and what is no ASCII letter or
// digit becomes a _, as does what would be in front of a digit at the
// beginning. What differs in nothing else is one group.
func groupName(text string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, text)
	if name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}
