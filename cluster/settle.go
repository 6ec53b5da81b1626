package cluster

import "time"

// A settler decides when a membership may be taken for the whole truth. It is
// in one of three states:
//
//	apart    Nobody else alive is known, and there are others to look for:
//	         seeds, a snapshot's members, or members of the incarnation
//	         before. Not settled. Left by a completed join.
//	joining  A live member is known, or there is nobody to look for (the first
//	         node of a cluster). Not settled. If others are alive, one of them
//	         must have given its whole list since the state was entered: what
//	         trickles in by gossip is a part only. Then it lasts until nothing
//	         has changed for Quiet, all that were alive before are alive
//	         again and nobody is failed, or for Settle at most.
//	settled  Stays settled whatever fails, up to being alone: isolation is for
//	         guards to judge, who know what the files hold.
//
// From settled and alone, meeting anybody alive leads back to joining: a seed
// that restarts, or a node whose isolation ends, hears of its peers one by
// one. A new incarnation begins with a new settler.
type settler struct {
	quiet, settle time.Duration
	first         bool                // nobody to look for
	expected      map[string]struct{} // alive before; waited for

	settled bool
	alone   bool
	synced  time.Time // of the exchange that completed the join; zero: none
	changed time.Time // of the last change
	ends    time.Time // of joining, when it is synced or first
}

// newSettler begins an incarnation. first says that there is nobody to look
// for, expected who was alive before.
func newSettler(c Config, first bool, expected map[string]struct{}, now time.Time) *settler {
	return &settler{
		quiet: c.Quiet, settle: c.Settle, first: first, expected: expected,
		alone: true, changed: now, ends: now.Add(c.Settle),
	}
}

// needsSync reports whether a join is wanted: until there has been one, and
// for ever while alone, unless there is nobody to join.
func (s *settler) needsSync() bool { return s.alone || s.synced.IsZero() }

// look takes in one look at the members and reports whether they are settled.
// changed says that something differs from the look before; joined, that a
// join has completed since.
func (s *settler) look(members []Member, self string, changed, joined bool, now time.Time) bool {
	if changed {
		s.changed = now
	}
	alone := View{Self: self, Members: members}.Alone()
	switch {
	case alone && !s.alone: // the last one is gone
		s.synced = time.Time{}
	case !alone && s.alone: // met somebody
		s.settled, s.ends = false, now.Add(s.settle)
	}
	s.alone = alone
	if joined && !alone && s.synced.IsZero() {
		s.synced, s.ends = now, now.Add(s.settle)
	}
	if s.settled {
		return true
	}
	complete := !s.synced.IsZero() || alone && s.first
	if !complete {
		return false
	}
	atRest := now.Sub(s.changed) >= s.quiet
	s.settled = atRest && (alone || s.found(members)) || !now.Before(s.ends)
	if s.settled {
		s.first, s.expected = true, nil // from now on, being alone is no reason to wait
	}
	return s.settled
}

// found reports whether all that were alive before are alive again, and
// nobody else is missing: after an isolation, the members that the others
// still know alive come back as failed ones first.
func (s *settler) found(members []Member) bool {
	missing := len(s.expected)
	for i := range members {
		switch members[i].Status {
		case Failed:
			return false
		case Alive:
			if _, ok := s.expected[members[i].Name]; ok {
				missing--
			}
		}
	}
	return missing == 0
}

// wake returns how long from now the next look can change the state by time
// alone; 0 means never.
func (s *settler) wake(now time.Time) time.Duration {
	if s.settled || s.synced.IsZero() && !(s.alone && s.first) {
		return 0
	}
	next := s.changed.Add(s.quiet)
	if !next.After(now) || next.After(s.ends) {
		next = s.ends
	}
	return max(next.Sub(now), time.Millisecond)
}
