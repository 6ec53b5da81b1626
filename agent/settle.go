package agent

import "time"

// A settle decides when a change has come to rest: after quiet without a
// further change, and at the latest max after the first.
type settle struct {
	first, last time.Time // of the changes not acted on yet; zero: none
}

// mark notes a change at now.
func (s *settle) mark(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.last = now
}

// hurry makes what is marked due at once.
func (s *settle) hurry(now time.Time) {
	s.first, s.last = now.Add(-time.Hour), now.Add(-time.Hour)
}

// pending reports whether a change waits to be acted on.
func (s *settle) pending() bool { return !s.first.IsZero() }

// due is when the marked changes are to be acted on.
func (s *settle) due(quiet, max time.Duration) time.Time {
	due := s.last.Add(quiet)
	if latest := s.first.Add(max); latest.Before(due) {
		return latest
	}
	return due
}

// clear forgets what was marked.
func (s *settle) clear() { *s = settle{} }
