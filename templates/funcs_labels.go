package templates

import (
	"fmt"
	"reflect"
	"slices"
)

// promLabels returns the function of this name. It gives the labels of a
// member for Prometheus: serf_name, and for each tag serf_tag_ and its key,
// with _ for what a label's name cannot have, so that no member sets
// __address__ or job; of two tags with one label the later key's. A dictionary
// may have `tags`, a list of the tags that become labels, and `labels`, a
// dictionary of labels for all, which win; text makes texts of these.
//
// A template could do the same, but takes a microsecond for each step: of ten
// tags of 10,000 members that makes a second.
func (t *Template) promLabels(text func(any) string) func(member, vars any) (any, error) {
	return func(member, vars any) (any, error) {
		m, ok := asMember(reflect.ValueOf(member))
		if !ok {
			return nil, fmt.Errorf("it takes a member, not a %s", kindOf(member))
		}
		dict, err := asDict(vars)
		if err != nil {
			return nil, err
		}
		fixed, err := asDict(dict["labels"])
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		chosen, choose := dict["tags"]
		names, ok := chosen.([]any)
		if !ok && chosen != nil {
			return nil, fmt.Errorf("tags: it takes a list, not a %s", kindOf(chosen))
		}
		t.spend(1 + len(m.Tags) + len(fixed))
		labels := make(map[string]any, 1+len(m.Tags)+len(fixed))
		for _, key := range sortedKeys(m.Tags) {
			if !choose || slices.Contains(names, any(key)) {
				labels[labelName("serf_tag_", key)] = m.Tags[key]
			}
		}
		labels["serf_name"] = m.Name
		for key, value := range fixed {
			labels[key] = text(value)
		}
		return labels, nil
	}
}

// labelName is prefix and text, with a _ for each character that a label's
// name cannot have.
func labelName(prefix, text string) string {
	name := make([]byte, 0, len(prefix)+len(text))
	name = append(name, prefix...)
	for _, r := range text {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			name = append(name, byte(r))
		} else {
			name = append(name, '_')
		}
	}
	return string(name)
}

// sortedKeys are a map's keys, in one allocation.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
