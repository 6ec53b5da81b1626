package rpc

import (
	"bufio"
	"slices"
	"sync"
	"time"

	"muster/cluster"
)

// record is the body that tells of an event.
func (e *events) record(heard cluster.Event) body {
	var id uint64
	switch heard.Type {
	case cluster.EventUser:
	case cluster.EventQuery:
		id = e.ask(heard)
	default:
		versions := e.conn.server.versions.of(heard.Members)
		return func(w *bufio.Writer) error { return putMemberEvent(w, heard, versions) }
	}
	return func(w *bufio.Writer) error {
		_, err := w.Write(appendNamedEvent(w.AvailableBuffer(), heard, id))
		return err
	}
}

// appendNamedEvent puts down the record of a user event or a query.
func appendNamedEvent(b []byte, e cluster.Event, id uint64) []byte {
	b = appendString(appendString(appendMap(b, 5), "Event"), e.Type)
	b = appendUint(appendString(b, "LTime"), e.LTime)
	b = appendString(appendString(b, "Name"), e.Name)
	b = appendBytes(appendString(b, "Payload"), e.Payload)
	if e.Type == cluster.EventQuery {
		return appendUint(appendString(b, "ID"), id)
	}
	return appendBool(appendString(b, "Coalesce"), e.Coalesce)
}

// putMemberEvent puts down a memberEventRecord.
func putMemberEvent(w *bufio.Writer, e cluster.Event, versions map[string]cluster.Versions) error {
	b := appendString(appendString(appendMap(w.AvailableBuffer(), 2), "Event"), e.Type)
	if _, err := w.Write(appendArray(appendString(b, "Members"), len(e.Members))); err != nil {
		return err
	}
	for _, m := range e.Members {
		if _, err := w.Write(appendMember(w.AvailableBuffer(), m, versions[m.Name])); err != nil {
			return err
		}
	}
	return nil
}

// versionsAge is how old what is known of the members' versions may be.
const versionsAge = time.Second

// A versionBook remembers the members' versions, so that events in a storm of
// them need not look at all members each.
type versionBook struct {
	ask func() map[string]cluster.Versions

	mu    sync.Mutex
	known map[string]cluster.Versions
	at    time.Time
}

// of returns a map with the versions of members, as far as they are known. It
// is read-only.
func (v *versionBook) of(members []cluster.Member) map[string]cluster.Versions {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.at) > versionsAge || slices.ContainsFunc(members, v.lacks) {
		v.known, v.at = v.ask(), time.Now()
	}
	return v.known
}

// lacks reports whether m, still a member, is not in the book: all that have
// been heard of by now will be once it is written anew.
func (v *versionBook) lacks(m cluster.Member) bool {
	_, ok := v.known[m.Name]
	return !ok && (m.Status == cluster.Alive || m.Status == cluster.Failed)
}
