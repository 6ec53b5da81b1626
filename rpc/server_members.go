package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"muster/cluster"
)

func (c *conn) members(context.Context) (any, error) {
	return c.server.list(nil), nil
}

func (c *conn) membersFiltered(_ context.Context, q membersFilteredRequest) (any, error) {
	keep, err := newMemberFilter(q)
	if err != nil {
		return nil, err
	}
	return c.server.list(keep), nil
}

// list is the body that lists the members that keep wants, all of them if it
// is nil.
func (s *Server) list(keep *memberFilter) body {
	members := s.Node.Roster()
	if keep != nil {
		members = slices.DeleteFunc(members, func(m cluster.Present) bool { return !keep.matches(m.Member) })
	}
	return func(w *bufio.Writer) error {
		b := appendString(appendMap(w.AvailableBuffer(), 1), "Members")
		if _, err := w.Write(appendArray(b, len(members))); err != nil {
			return err
		}
		for _, m := range members {
			if _, err := w.Write(appendMember(w.AvailableBuffer(), m.Member, m.Versions)); err != nil {
				return err
			}
		}
		return nil
	}
}

// appendMember puts down a wireMember.
func appendMember(b []byte, m cluster.Member, v cluster.Versions) []byte {
	b = appendMap(b, 11)
	b = appendString(appendString(b, "Name"), m.Name)
	b = appendAddr(appendString(b, "Addr"), m)
	b = appendUint(appendString(b, "Port"), uint64(m.Port))
	b = appendTags(appendString(b, "Tags"), m.Tags)
	b = appendString(appendString(b, "Status"), string(m.Status))
	b = appendUint(appendString(b, "ProtocolMin"), uint64(v.ProtocolMin))
	b = appendUint(appendString(b, "ProtocolMax"), uint64(v.ProtocolMax))
	b = appendUint(appendString(b, "ProtocolCur"), uint64(v.ProtocolCur))
	b = appendUint(appendString(b, "DelegateMin"), uint64(v.DelegateMin))
	b = appendUint(appendString(b, "DelegateMax"), uint64(v.DelegateMax))
	return appendUint(appendString(b, "DelegateCur"), uint64(v.DelegateCur))
}

func appendAddr(b []byte, m cluster.Member) []byte {
	switch {
	case m.Addr.Is4():
		a := m.Addr.As4()
		return appendBytes(b, a[:])
	case m.Addr.IsValid():
		a := m.Addr.As16()
		return appendBytes(b, a[:])
	}
	return appendBytes(b, nil)
}

// maxPatterns is how many bytes of regular expressions a request may hold:
// one of them may take a thousand times as much to match.
const maxPatterns = 2 << 10

// A memberFilter is what members-filtered asks for. A missing tag counts as
// an empty one.
type memberFilter struct {
	tags         map[string]*regexp.Regexp
	status, name *regexp.Regexp // nil: any
}

func newMemberFilter(q membersFilteredRequest) (*memberFilter, error) {
	size := len(q.Status) + len(q.Name)
	for _, pattern := range q.Tags {
		size += len(pattern)
	}
	if size > maxPatterns {
		return nil, fmt.Errorf("cannot filter members: patterns of %d bytes are more than %d", size, maxPatterns)
	}
	f := &memberFilter{tags: make(map[string]*regexp.Regexp, len(q.Tags))}
	var errs []error
	anchored := func(pattern string) *regexp.Regexp {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot compile a pattern: %w", err))
		}
		return re
	}
	for tag, pattern := range q.Tags {
		f.tags[tag] = anchored(pattern)
	}
	if q.Status != "" {
		f.status = anchored(q.Status)
	}
	if q.Name != "" {
		f.name = anchored(q.Name)
	}
	return f, errors.Join(errs...)
}

func (f *memberFilter) matches(m cluster.Member) bool {
	if f.status != nil && !f.status.MatchString(string(m.Status)) || f.name != nil && !f.name.MatchString(m.Name) {
		return false
	}
	for tag, re := range f.tags {
		if !re.MatchString(m.Tags[tag]) {
			return false
		}
	}
	return true
}
