package rpc

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"muster/cluster"
)

// A keeper decides what a list of members is worth. An agent that has just
// started may list only itself, for as long as its seeds do not answer, or a
// part of the members; and a list says nothing of that. So:
//
//   - What is listed is shown at once. What was shown and is not listed any
//     more stays as it was for the time Hold, counted within one connection.
//     An agent that runs lists everybody for a day, whatever became of them.
//   - While nobody else alive is listed, though others are still shown or
//     nothing was settled yet, the view is not settled, for Hold at most.
//   - From the first moment of a connection with somebody else alive it is not
//     settled until nothing has changed for Quiet, or for Settle at most. A
//     list like the one before the connection was lost has not changed.
//   - Settled stays settled within a connection, up to being alone with
//     members that failed: isolation is for guards to judge. Meeting anybody
//     after that begins again.
type keeper struct {
	quiet, settle, hold time.Duration
	max                 int

	self    string
	members []cluster.Member     // shown, sorted
	missing map[string]time.Time // shown but not listed, since when
	refused map[string]bool      // not shown but listed

	settled bool
	alone   bool      // nobody else alive is listed
	since   time.Time // it is so, or is not
	changed time.Time // the last change of what is listed
}

func newKeeper(c AttachConfig) *keeper {
	return &keeper{
		quiet: c.Quiet, settle: c.Settle, hold: c.Hold, max: c.MaxMembers,
		missing: map[string]time.Time{}, refused: map[string]bool{},
	}
}

// connect begins a connection.
func (k *keeper) connect(now time.Time) {
	k.settled, k.alone, k.since = false, true, now
	clear(k.missing)
}

// A rejection is why a listed member is not shown.
type rejection struct {
	name, why string
	err       error
}

// accept returns the members of a list, which is sorted, that can be some. A
// rejection is told of when it is new.
func (k *keeper) accept(listed []Member, self string) (members []cluster.Member, news []rejection) {
	shown := cluster.View{Members: k.members}
	loopback, room := false, k.max
	for i := range listed {
		if listed[i].Name == self {
			loopback = listed[i].Addr.IsLoopback()
		}
		if _, known := shown.Member(listed[i].Name); known {
			room--
		}
	}
	members = make([]cluster.Member, 0, len(listed))
	refused := map[string]bool{}
	for i := range listed {
		m := listed[i].Member
		was, known := shown.Member(m.Name)
		why, err := k.check(&m, was, known, loopback)
		switch {
		case err != nil:
		case i > 0 && listed[i-1].Name == m.Name:
			why, err = cluster.RefusedMessage, errors.New("it is listed twice")
		case !known && room <= 0:
			why, err = cluster.RefusedTooMany, fmt.Errorf("there are %d members already; raise max_members", k.max)
		default:
			members = append(members, m)
			if !known {
				room--
			}
			continue
		}
		if !k.refused[m.Name] {
			news = append(news, rejection{m.Name, why, err})
		}
		refused[m.Name] = true
	}
	k.refused = refused
	return members, news
}

// check is m.Check, but costs little for a member that is shown already,
// whose tags m then shares.
func (k *keeper) check(m *cluster.Member, was cluster.Member, known, loopback bool) (why string, err error) {
	if known && maps.Equal(was.Tags, m.Tags) {
		m.Tags = was.Tags
		if was.Equal(*m) {
			return "", nil
		}
	}
	return m.Check(loopback)
}

// look takes in a list, sorted, each name once, and reports whether what is
// shown has changed.
func (k *keeper) look(listed []cluster.Member, self string, now time.Time) bool {
	missing, held := k.held(listed, self, now)
	shown := listed
	if len(held) > 0 {
		shown = append(slices.Clip(listed), held...)
		cluster.SortMembers(shown)
	}
	differs := self != k.self || len(cluster.View{Members: shown}.Diff(cluster.View{Members: k.members})) > 0
	if differs || !maps.Equal(missing, k.missing) {
		k.changed = now
	}
	if differs {
		k.members = shown
	}
	k.self, k.missing = self, missing
	k.judge(cluster.View{Self: self, Members: listed}.Alone(), now)
	return differs
}

// held returns what is shown though it is not listed, and since when each is
// missing.
func (k *keeper) held(listed []cluster.Member, self string, now time.Time) (map[string]time.Time, []cluster.Member) {
	missing := map[string]time.Time{}
	var held []cluster.Member
	for _, c := range (cluster.View{Members: listed}).Diff(cluster.View{Members: k.members}) {
		if c.New != nil || c.Old.Name == k.self && self != k.self { // the agent has another name now
			continue
		}
		since, already := k.missing[c.Old.Name]
		if !already {
			since = now
		}
		if now.Sub(since) < k.hold {
			missing[c.Old.Name] = since
			held = append(held, *c.Old)
		}
	}
	return missing, held
}

// judge decides whether the members are settled. alone says that nobody else
// alive is listed.
func (k *keeper) judge(alone bool, now time.Time) {
	if alone != k.alone {
		k.alone, k.since = alone, now
		k.settled = k.settled && alone
	}
	switch {
	case alone && k.settled && !k.waiting():
	case alone:
		k.settled = now.Sub(k.since) >= k.hold
	case !k.settled:
		k.settled = now.Sub(k.changed) >= k.quiet || now.Sub(k.since) >= k.settle
	}
}

// waiting reports whether somebody is shown as alive who is not listed.
func (k *keeper) waiting() bool {
	shown := cluster.View{Members: k.members}
	for name := range k.missing {
		if m, _ := shown.Member(name); m.Status == cluster.Alive {
			return true
		}
	}
	return false
}

// wake returns how long from now time alone may change something; 0 is never.
func (k *keeper) wake(now time.Time) time.Duration {
	var next time.Time
	soon := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, since := range k.missing {
		soon(since.Add(k.hold))
	}
	switch {
	case k.settled:
	case k.alone:
		soon(k.since.Add(k.hold))
	default:
		soon(k.changed.Add(k.quiet))
		soon(k.since.Add(k.settle))
	}
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(now), time.Millisecond)
}

// problem says what the view waits for, if it is worth telling.
func (k *keeper) problem(addr string) string {
	switch {
	case k.settled || !k.alone:
		return ""
	case len(k.missing) > 0:
		return fmt.Sprintf("the Serf agent at %s lists nobody else alive; whom it listed before (%d) is kept for %s", addr, len(k.missing), k.hold)
	}
	return fmt.Sprintf("the Serf agent at %s lists nobody else alive, which is believed after %s", addr, k.hold)
}
