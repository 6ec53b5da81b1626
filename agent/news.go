package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"muster/cluster"
	"muster/human"
	"muster/timeline"
)

// A news puts on the timeline what becomes of the membership. It goes by what
// the views say and not by events, so that it misses nobody; and a little
// later, so that a thousand who join within a moment are one line, but before
// what comes of it.
type news struct {
	told    cluster.View // how far the timeline tells; unsettled: nothing has been told
	waiting settle       // for the view to come to rest
}

// How long the view must stay the same before it is told of, and the longest
// that this may take.
const (
	newsQuiet = 300 * time.Millisecond
	newsLimit = 2 * time.Second
)

// mostNews is how many members get a line each of what several did at once.
const mostNews = 8

// due is when there is something to tell; zero: nothing is known of.
func (n *news) due() time.Time {
	if !n.waiting.pending() {
		return time.Time{}
	}
	return n.waiting.due(newsQuiet, newsLimit)
}

// noteView takes note of a new view. One that is not settled tells nothing.
func (l *loop) noteView(old cluster.View, now time.Time) {
	switch {
	case l.view.Settled:
		l.news.waiting.mark(now)
	case old.Settled:
		l.news.waiting.clear()
		l.note(false, "joining: waiting until the membership has settled")
	}
}

// catchUp tells what became of the membership since it was told of last.
func (l *loop) catchUp() {
	if !l.news.waiting.pending() {
		return
	}
	old, v := l.news.told, l.view
	l.news.told = v
	l.news.waiting.clear()
	if !old.Settled {
		l.note(false, "settled: %s", census(v))
	} else {
		for _, e := range changesOf(v.Diff(old)) {
			l.cfg.Timeline.Add(e)
		}
	}
	switch {
	case v.Alone() && (!old.Settled || !old.Alone()):
		l.note(old.Settled, "alone: no other node is alive")
	case !v.Alone() && old.Settled && old.Alone():
		l.note(false, "no longer alone")
	}
	switch {
	case v.Doubt > 0 && old.Doubt == 0:
		l.note(true, "this node may be cut off: others do not answer it as they should")
	case v.Doubt == 0 && old.Doubt > 0:
		l.note(false, "the others answer this node again")
	}
}

// note puts a line about the agent itself on the timeline.
func (l *loop) note(bad bool, format string, args ...any) {
	l.cfg.Timeline.Add(timeline.Entry{Kind: timeline.Agent, Text: fmt.Sprintf(format, args...), Bad: bad})
}

// census counts the members of a view by their status.
func census(v cluster.View) string {
	count := map[cluster.Status]int{}
	for _, m := range v.Members {
		count[m.Status]++
	}
	var parts []string
	for _, status := range cluster.Statuses {
		if n := count[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	return fmt.Sprintf("%s known: %s", human.Count(len(v.Members), "member"), strings.Join(parts, ", "))
}

// A saying is what is to be said of a member, and of many of whom it is said.
type saying struct {
	one, many string
	bad, left bool // as in timeline.Entry
}

// sayings are what a change says of its member.
func sayings(c cluster.Change) (all []saying) {
	if c.New == nil {
		if c.Old.Status == cluster.Left {
			return []saying{{one: "had left, and was forgotten", many: "had left, and were forgotten", left: true}}
		}
		return []saying{{one: "was forgotten", many: "were forgotten", bad: true}}
	}
	m := *c.New
	var old cluster.Member
	if c.Old != nil {
		old = *c.Old
	}
	switch {
	case m.Status == old.Status:
	case m.Status == cluster.Failed:
		all = append(all, saying{one: "failed", many: "failed", bad: true})
	case m.Status == cluster.Left:
		all = append(all, saying{one: "left", many: "left", left: true})
	case m.Status == cluster.Leaving:
		all = append(all, saying{one: "is leaving", many: "are leaving"})
	case c.Old == nil:
		all = append(all, saying{one: "joined", many: "joined"})
	default:
		all = append(all, saying{one: "is back", many: "are back"})
	}
	switch {
	case m.Draining() && !old.Draining():
		all = append(all, saying{one: "drains", many: "drain"})
	case old.Draining() && !m.Draining():
		all = append(all, saying{one: "drains no more", many: "drain no more"})
	}
	if c.Old == nil {
		return all
	}
	if at := netip.AddrPortFrom(m.Addr, m.Port); at != netip.AddrPortFrom(old.Addr, old.Port) {
		all = append(all, saying{one: "moved to " + at.String(), many: "moved"})
	}
	if tags := changedTags(old.Tags, m.Tags); len(tags) > 0 {
		all = append(all, saying{one: "changed its tags: " + strings.Join(few(tags), ", "), many: "changed their tags"})
	}
	return all
}

// changedTags are the names of the tags that differ, sorted, but for the one of
// a node that drains.
func changedTags(a, b map[string]string) []string {
	var names []string
	for name, value := range a {
		if other, ok := b[name]; !ok || other != value {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == cluster.DrainTag })
}

// changesOf are the entries that tell of changes: a line each, or one of many
// members of whom the same is to be said.
func changesOf(changes []cluster.Change) []timeline.Entry {
	entries, names := map[string][]timeline.Entry{}, map[string][]string{}
	for _, c := range changes {
		for _, s := range sayings(c) {
			if names[s.many] = append(names[s.many], c.Name()); len(names[s.many]) <= mostNews {
				entries[s.many] = append(entries[s.many], timeline.Entry{
					Kind: timeline.Member, Node: c.Name(), Text: c.Name() + " " + s.one, Bad: s.bad, Left: s.left})
			}
		}
	}
	var all []timeline.Entry
	for _, what := range slices.Sorted(maps.Keys(entries)) {
		if n := len(names[what]); n > mostNews {
			const named = 3
			first := entries[what][0]
			text := fmt.Sprintf("%d members %s: %s", n, what, human.Few(names[what], named))
			all = append(all, timeline.Entry{Kind: timeline.Member, Text: text, Bad: first.Bad, Left: first.Left})
			continue
		}
		all = append(all, entries[what]...)
	}
	return all
}

// noteEvent puts an event that came on the timeline; never what it carries.
// Member events are in the views, and what agents ask each other is no news.
func (l *loop) noteEvent(e cluster.Event) {
	size := human.Count(len(e.Payload), "byte")
	switch {
	case e.Type == cluster.EventUser:
		l.cfg.Timeline.Add(timeline.Entry{Kind: timeline.Event, Text: fmt.Sprintf("user event %s, %s", e.Name, size)})
	case e.Type == cluster.EventQuery && !strings.HasPrefix(e.Name, cluster.OwnQuery):
		l.cfg.Timeline.Add(timeline.Entry{Kind: timeline.Event, Node: e.From, Text: fmt.Sprintf("query %s, %s", e.Name, size)})
	}
}
