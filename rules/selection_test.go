package rules

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"muster/cluster"
)

var compareAddrs = cmpopts.EquateComparable(cluster.Member{}.Addr)

// member makes a member from a name, a status and tags in pairs.
func member(name string, status cluster.Status, tags ...string) cluster.Member {
	m := cluster.Member{Name: name, Status: status, Port: 7946, Tags: map[string]string{}}
	for i := 0; i+1 < len(tags); i += 2 {
		m.Tags[tags[i]] = tags[i+1]
	}
	return m
}

func view(epoch uint64, ms ...cluster.Member) cluster.View {
	cluster.SortMembers(ms)
	return cluster.View{Epoch: epoch, Self: "a", Settled: true, Members: ms}
}

// ruleWith returns a rule with the given clauses, and the guard's.
func ruleWith(t interface{ Fatal(...any) }, members, guard string) *Rule {
	set, _, problems := loadText(fmt.Sprintf(`
rule "r" {
  members {
%s
  }
  guard {
%s
  }
  template {
    contents    = "x"
    destination = "/etc/x"
  }
}`, members, guard))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set.Rules[0]
}

func names(ms []cluster.Member) string {
	s := ""
	for _, m := range ms {
		s += m.Name
	}
	return s
}

// A step is one call of Update and what comes of it.
type step struct {
	at      int // seconds
	view    cluster.View
	changed bool
	want    string
	wake    int // seconds; 0: none
}

func play(t *testing.T, r *Rule, steps []step) {
	t.Helper()
	s := r.NewSelection()
	start := time.Unix(1000, 0)
	var last cluster.View
	for i, st := range steps {
		changed, wake := s.Update(start.Add(time.Duration(st.at)*time.Second), st.view, st.view.Diff(last))
		last = st.view
		wakeAt := 0
		if !wake.IsZero() {
			wakeAt = int(wake.Sub(start) / time.Second)
		}
		got := step{st.at, st.view, changed, names(s.Members()), wakeAt}
		if diff := cmp.Diff(st, got, cmp.AllowUnexported(step{}), compareAddrs); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestSelectionFollows(t *testing.T) {
	r := ruleWith(t, `tags = { role = "web" }`, "")
	a, b, c := member("a", cluster.Alive, "role", "web"), member("b", cluster.Alive, "role", "web"), member("c", cluster.Alive, "role", "db")
	bFailed := member("b", cluster.Failed, "role", "web")
	cWeb := member("c", cluster.Alive, "role", "web")
	bMoved := member("b", cluster.Alive, "role", "web", "zone", "x")
	play(t, r, []step{
		{0, view(1, a, b, c), true, "ab", 0},
		{1, view(1, a, b, c), false, "ab", 0},
		{2, view(1, a, b), false, "ab", 0},            // another's member goes
		{3, view(1, a, bFailed), true, "a", 0},        // no grace: out at once
		{4, view(1, a, b, cWeb), true, "abc", 0},      // back, and a changed tag
		{5, view(1, a, bMoved, cWeb), true, "abc", 0}, // the same members, another value
		{6, view(1), true, "", 0},
	})
}

func TestSelectionGrace(t *testing.T) {
	r := ruleWith(t, `tags = { role = "web" }`, `grace = "30s"`)
	a, b := member("a", cluster.Alive, "role", "web"), member("b", cluster.Alive, "role", "web")
	failed := member("b", cluster.Failed, "role", "web")
	left := member("b", cluster.Left, "role", "web")
	play(t, r, []step{
		{0, view(1, a, b), true, "ab", 0},
		{10, view(1, a, failed), true, "ab", 40}, // stays, as a failed member
		{20, view(1, a, b), true, "ab", 0},       // back: as if nothing had been
		{30, view(1, a, failed), true, "ab", 60}, // a grace of its own
		{59, view(1, a, failed), false, "ab", 60},
		{60, view(1, a, failed), true, "a", 0},
		{70, view(1, a, failed), false, "a", 0}, // not once more
		{80, view(1, a, b), true, "ab", 0},
		{81, view(1, a, failed), true, "ab", 111},
		{82, view(1, a, left), true, "a", 0}, // left is no failure
		{83, view(1, a, failed), false, "a", 0},
	})
}

func TestSelectionGraceAcrossEpochs(t *testing.T) {
	r := ruleWith(t, `tags = { role = "web" }`, `grace = "30s"`)
	a, b, c := member("a", cluster.Alive, "role", "web"), member("b", cluster.Alive, "role", "web"), member("c", cluster.Alive, "role", "web")
	bFailed, cFailed := member("b", cluster.Failed, "role", "web"), member("c", cluster.Failed, "role", "web")
	unsettled := view(2, a)
	unsettled.Settled = false
	play(t, r, []step{
		{0, view(1, a, b, c), true, "abc", 0},
		{10, view(1, a, bFailed, c), true, "abc", 40},
		{15, unsettled, true, "a", 40},                      // the new incarnation knows nobody yet
		{20, view(2, a, bFailed, cFailed), true, "abc", 40}, // b's grace goes on, c's begins
		{40, view(2, a, bFailed, cFailed), true, "ac", 50},
		{50, view(2, a, bFailed, cFailed), true, "a", 0},
	})
}

func TestSelectionWhere(t *testing.T) {
	r := ruleWith(t, `where = member.tags.zone == self.tags.zone`, `min_members = 0`)
	a, b, c := member("a", cluster.Alive, "zone", "x"), member("b", cluster.Alive, "zone", "x"), member("c", cluster.Alive, "zone", "y")
	aMoved := member("a", cluster.Alive, "zone", "y")
	play(t, r, []step{
		{0, view(1, a, b, c), true, "ab", 0},
		{1, view(1, aMoved, b, c), true, "ac", 0}, // self changed: all are looked at again
	})
	r = ruleWith(t, `where = length([for m in members : m if m.status == "alive"]) > 2`, "")
	cFailed := member("c", cluster.Failed, "zone", "y")
	play(t, r, []step{
		{0, view(1, a, b, c), true, "abc", 0},
		{1, view(1, a, b, cFailed), true, "", 0},
		{2, view(1, a, b, c), true, "abc", 0},
	})
}

// A model is what Selection must come to, worked out anew for each view.
type model struct {
	rule     *Rule
	started  bool
	epoch    uint64
	selected map[string]cluster.Status // as of the view before
	graces   map[string]modelGrace
	before   map[string]cluster.Status // as of the last view of the epoch before, until settled
}

type modelGrace struct {
	since  time.Time
	status cluster.Status
}

func (m *model) update(now time.Time, v cluster.View) (members []cluster.Member, wake time.Time) {
	if m.started && v.Epoch != m.epoch && len(m.before) == 0 {
		m.before = m.selected
	}
	selected, graces := map[string]cluster.Status{}, map[string]modelGrace{}
	for _, x := range v.Members {
		if m.rule.Matches(x, v) {
			selected[x.Name] = x.Status
			members = append(members, x)
			continue
		}
		g, ok := m.grace(now, x)
		if !ok {
			continue
		}
		graces[x.Name] = g
		as := x
		as.Status = g.status
		if m.inGrace(now, g) && m.rule.Matches(as, v) {
			selected[x.Name] = x.Status
			members = append(members, x)
		}
	}
	for name, g := range m.graces {
		if _, known := v.Member(name); !known && !v.Settled {
			graces[name] = g
		}
	}
	for _, g := range graces {
		if end := g.since.Add(m.rule.Guard.Grace); end.After(now) && (wake.IsZero() || end.Before(wake)) {
			wake = end
		}
	}
	m.started, m.epoch, m.selected, m.graces = true, v.Epoch, selected, graces
	if v.Settled {
		m.before = nil
	}
	return members, wake
}

// grace returns the grace of a member that does not match.
func (m *model) grace(now time.Time, x cluster.Member) (modelGrace, bool) {
	if x.Status != cluster.Failed || m.rule.Guard.Grace == 0 {
		return modelGrace{}, false
	}
	if g, ok := m.graces[x.Name]; ok {
		return g, true
	}
	status, ok := m.selected[x.Name]
	if !ok {
		status, ok = m.before[x.Name]
	}
	return modelGrace{now, status}, ok
}

func (m *model) inGrace(now time.Time, g modelGrace) bool {
	return g.since.Add(m.rule.Guard.Grace).After(now)
}

func TestSelectionIsWhatItWouldBeAnew(t *testing.T) {
	var rules []*Rule
	for _, members := range []string{
		`tags = { role = "web" }`,
		`status = ["alive", "failed"]`,
		`where = tonumber(member.tags.weight) > 1`,
		`where = member.tags.role == self.tags.role`,
		`where = length([for m in members : m if m.status == "alive"]) > 2 && member.tags.role == "web"`,
	} {
		rules = append(rules, ruleWith(t, members, `grace = "0s"`), ruleWith(t, members, `grace = "10s"`))
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(rules).Draw(t, "rule")
		s, m := r.NewSelection(), &model{rule: r}
		now := time.Unix(1000, 0)
		v, last := view(1), cluster.View{}
		var previous []cluster.Member
		first := true
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "seconds")) * time.Second) },
			"members change": func(t *rapid.T) {
				v = v.Clone()
				for range rapid.IntRange(1, 4).Draw(t, "changes") {
					v.Members = drawChange(t, v.Members)
				}
			},
			"settles":   func(*rapid.T) { v.Settled = true },
			"new epoch": func(t *rapid.T) { v.Epoch++; v.Settled = rapid.Bool().Draw(t, "settled") },
			"": func(t *rapid.T) {
				changed, wake := s.Update(now, v, v.Diff(last))
				want, wantWake := m.update(now, v)
				if diff := cmp.Diff(want, s.Members(), compareAddrs, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("members (-anew +followed):\n%s", diff)
				}
				if !wake.Equal(wantWake) {
					t.Fatalf("wakes at %v, want %v", wake, wantWake)
				}
				if same := cmp.Equal(previous, s.Members(), compareAddrs, cmpopts.EquateEmpty()); !first && changed == same {
					t.Fatalf("changed is %v, and the members %v", changed, s.Members())
				}
				previous, last, first = s.Members(), v, false
			},
		})
	})
}

// drawChange puts one member into ms, changes it, or takes it out.
func drawChange(t *rapid.T, ms []cluster.Member) []cluster.Member {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "name")
	i, ok := find(ms, name)
	if ok && rapid.IntRange(0, 4).Draw(t, "gone") == 0 {
		return append(ms[:i:i], ms[i+1:]...)
	}
	m := member(name, rapid.SampledFrom([]cluster.Status{cluster.Alive, cluster.Alive, cluster.Failed, cluster.Failed, cluster.Left, cluster.Leaving}).Draw(t, "status"),
		"role", rapid.SampledFrom([]string{"web", "web", "db"}).Draw(t, "role"))
	if w := rapid.SampledFrom([]string{"", "1", "2", "2", "x"}).Draw(t, "weight"); w != "" {
		m.Tags["weight"] = w
	}
	if ok {
		ms[i] = m
		return ms
	}
	ms = append(ms[:len(ms):len(ms)], m)
	cluster.SortMembers(ms)
	return ms
}
