// Package metadata keeps which services a node has been given to run: a short
// list of names, changed by orders on the node itself or of whoever holds a key
// that it trusts, which the cluster sees in a tag.
//
// What the names mean, and whether such a service really runs, is for others;
// so is who may change the node on the spot (web).
package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"muster/cluster"
	"muster/human"
)

const (
	// Tag is the tag with a node's services, sorted, with commas between them,
	// as lists of tags are: has_tag_item(member.tags.runs, "nginx").
	Tag = "runs"
	// maxServices and maxTag, in bytes, leave other tags some of the 512.
	maxServices = 32
	maxTag      = 256
)

// ErrInvalid is what a change is refused with that can never be made.
var ErrInvalid = errors.New("not possible")

var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// CheckName reports why a service cannot be called that.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: %q is no service's name: 1 to 63 letters, digits, _, . and -, no . or - in front", ErrInvalid, human.Clip(name, 80))
	}
	return nil
}

// with returns the list with name in it, or without it, sorted, as a copy.
func with(list []string, name string, in bool) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	next := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
	if in {
		next = append(next, name)
	}
	slices.Sort(next)
	return next, check(next)
}

// check reports what a list is too long for.
func check(list []string) error {
	if len(list) > maxServices {
		return fmt.Errorf("%w: a node may have %d services; remove one", ErrInvalid, maxServices)
	}
	if n := len(strings.Join(list, ",")); n > maxTag {
		return fmt.Errorf("%w: the names of the services take %d bytes of %d; remove one, or choose shorter names", ErrInvalid, n, maxTag)
	}
	return nil
}

// names are a list as with makes it, also where it is read from a file that
// somebody may have written by hand.
type names []string

func (n *names) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*[]string)(n)); err != nil {
		return err
	}
	for _, name := range *n {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	slices.Sort(*n)
	*n = slices.Compact(*n)
	return check(*n)
}

// Of returns the services that a member shows, which may be anybody's words:
// those that are no names are left out.
func Of(m cluster.Member) []string {
	var list []string
	for name := range strings.SplitSeq(m.Tags[Tag], ",") {
		if CheckName(name) == nil {
			list = append(list, name)
		}
	}
	return list
}

// Working returns the living members that show a service, in their order.
func Working(members []cluster.Member, service string) []cluster.Member {
	var out []cluster.Member
	for _, m := range members {
		if m.Status == cluster.Alive && slices.Contains(Of(m), service) {
			out = append(out, m)
		}
	}
	return out
}

// Room reports why a member's list cannot take a service as well, as far as
// its tags show that.
func Room(m cluster.Member, service string) error {
	list, err := with(Of(m), service, true)
	if err != nil {
		return err
	}
	tags := map[string]string{}
	maps.Copy(tags, m.Tags)
	tags[Tag] = strings.Join(list, ",")
	m.Tags = tags
	_, err = m.Check(true) // its address is not the point
	return err
}
