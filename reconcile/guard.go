package reconcile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"muster/human"
)

// doubtHold is how long losses are doubted when the guard's own Hold is 0.
const doubtHold = time.Minute

// A Guard says which losses of members are not believed at once.
type Guard struct {
	// MinMembers is the least number of members that is rendered at all.
	MinMembers int
	// MaxLoss is the share of the members, 0 to 1, that may go at once; 1 is
	// no limit.
	MaxLoss float64
	// Hold is how long a greater loss must last until it is believed; with 0
	// it never is, until somebody overrides it.
	Hold time.Duration
}

// A Verdict is what a guard says to a change.
type Verdict struct {
	Held bool   `json:"held"`
	Why  string `json:"why,omitempty"`
	// Since is when the members went that the change is held for.
	Since time.Time `json:"since,omitzero"`
	// Until is when it would be let through if nothing changes; zero if it
	// depends on something else than time.
	Until time.Time `json:"until,omitzero"`
	// Lost are the members that would go.
	Lost []string `json:"lost,omitempty"`
}

// A reference is the set that losses are measured against: the members applied
// last, and those that went within Hold, so that members which go one by one
// count as one loss.
type reference struct {
	applied []string
	// missed says since when each member is missing that is or was applied and
	// that the desired set lacks.
	missed map[string]time.Time
}

// look notes at now which members desired lacks; lost are those of them that
// were applied last. Those that were drained are not missed: an operator took
// them out.
func (ref *reference) look(desired, lost []string, drained map[string]bool, hold time.Duration, now time.Time) {
	if len(lost) == 0 && len(ref.missed) == 0 {
		return
	}
	fresh := make(map[string]time.Time, len(lost))
	for _, name := range lost {
		if drained[name] {
			continue
		}
		since, ok := ref.missed[name]
		if !ok || since.After(now) {
			since = now
		}
		fresh[name] = since
	}
	for name, since := range ref.missed { // gone by an earlier change
		if drained[name] {
			continue
		}
		_, applied := slices.BinarySearch(ref.applied, name)
		_, wanted := slices.BinarySearch(desired, name)
		if !applied && !wanted && !since.After(now) && now.Sub(since) < hold {
			fresh[name] = since
		}
	}
	ref.missed = fresh
}

// A question is what a guard is asked.
type question struct {
	Desired      []string // sorted
	Alone, Doubt bool
	Failed       map[string]bool
	Drained      map[string]bool
	Now          time.Time
}

// judge says whether the change from ref to q.Desired may be made. ref has
// looked at q.Desired. It is a pure function.
func (g Guard) judge(ref reference, q question) Verdict {
	_, lost := diffNames(ref.applied, q.Desired)
	v := Verdict{Lost: lost}
	for _, name := range lost {
		if since, missed := ref.missed[name]; missed && (v.Since.IsZero() || since.Before(v.Since)) {
			v.Since = since
		}
	}
	drained := only(lost, q.Drained)
	switch {
	case len(q.Desired) < g.MinMembers:
		why := fmt.Sprintf("%s, fewer than min_members = %d", human.Count(len(q.Desired), "member"), g.MinMembers)
		if len(drained) > 0 {
			why += fmt.Sprintf("; draining: %s", some(drained))
		}
		return v.hold(time.Time{}, why)
	case q.Alone && len(lost) > 0:
		return v.hold(time.Time{}, fmt.Sprintf("this node is alone: %s would go (%s)", human.Count(len(lost), "member"), some(lost)))
	case len(lost) == 0:
		return v
	}
	loss := g.loss(ref, len(drained), q.Now)
	doubt := g.doubted(ref, q)
	switch {
	case loss.held && !(doubt.held && doubt.until.After(loss.until) && !loss.until.IsZero()):
		return v.hold(loss.until, loss.why+" ("+some(lost)+")")
	case doubt.held:
		return v.hold(doubt.until, doubt.why)
	}
	return v
}

func (v Verdict) hold(until time.Time, why string) Verdict {
	v.Held, v.Until, v.Why = true, until, why
	return v
}

// A reason is one of the guard's tests.
type reason struct {
	held  bool
	until time.Time
	why   string
}

// only returns the names that are in a set.
func only(names []string, in map[string]bool) []string {
	if len(in) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !in[name] })
}

// loss weighs the members that went within Hold against the whole reference. A
// member that has been missing for Hold counts in neither, nor do those that
// were drained.
func (g Guard) loss(ref reference, drained int, now time.Time) reason {
	var times []time.Time // since when the believable losses are missing
	size := len(ref.applied) - drained
	for name, since := range ref.missed {
		_, applied := slices.BinarySearch(ref.applied, name)
		fresh := g.Hold == 0 || now.Sub(since) < g.Hold
		switch {
		case fresh && !applied:
			size++
			times = append(times, since)
		case fresh:
			times = append(times, since)
		case applied:
			size--
		}
	}
	gone := len(times)
	if !g.exceeds(gone, size) {
		return reason{}
	}
	r := reason{held: true, why: fmt.Sprintf("%d of %d members gone (%.0f %%), more than max_loss = %.4g%%",
		gone, size, math.Floor(100*float64(gone)/float64(size)), 100*g.MaxLoss)}
	if g.Hold == 0 {
		return r
	}
	slices.SortFunc(times, time.Time.Compare)
	for i, since := range times {
		if !g.exceeds(gone-i-1, size-i-1) {
			r.until = since.Add(g.Hold)
			break
		}
	}
	return r
}

func (g Guard) exceeds(gone, size int) bool {
	return gone > 0 && g.MaxLoss < 1 && float64(gone) > g.MaxLoss*float64(size)
}

// doubted holds failures that this node may only imagine, at most for Hold.
func (g Guard) doubted(ref reference, q question) reason {
	if !q.Doubt {
		return reason{}
	}
	hold := g.Hold
	if hold == 0 {
		hold = doubtHold
	}
	var names []string
	var until time.Time
	for _, name := range ref.applied {
		since, missing := ref.missed[name]
		if !missing || !q.Failed[name] || q.Now.Sub(since) >= hold {
			continue
		}
		names = append(names, name)
		if end := since.Add(hold); end.After(until) {
			until = end
		}
	}
	if len(names) == 0 {
		return reason{}
	}
	return reason{true, until, fmt.Sprintf("this node may itself be cut off: the failure of %s is doubted (%s)", human.Count(len(names), "member"), some(names))}
}

// diffNames compares two sorted lists of names.
func diffNames(before, after []string) (gained, lost []string) {
	if sameSlice(before, after) {
		return nil, nil
	}
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case j == len(after) || i < len(before) && before[i] < after[j]:
			lost = append(lost, before[i])
			i++
		case i == len(before) || before[i] > after[j]:
			gained = append(gained, after[j])
			j++
		default:
			i++
			j++
		}
	}
	return gained, lost
}

func sameSlice(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// some lists the first few names. They come from the network: they are quoted
// where they are not plain.
func some(names []string) string {
	const most = 8
	var words []string
	for _, name := range names[:min(len(names), most)] {
		if q := fmt.Sprintf("%q", name); strings.ContainsAny(name, " ,()") || q != `"`+name+`"` {
			name = q
		}
		words = append(words, name)
	}
	if more := len(names) - most; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// clone returns a reference that shares nothing with ref.
func (ref reference) clone() reference {
	return reference{ref.applied, maps.Clone(ref.missed)}
}
