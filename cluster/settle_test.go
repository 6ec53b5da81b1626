package cluster

import (
	"strings"
	"testing"
	"time"
)

// The settler is driven by a script: each step is a number of milliseconds
// since the start, what is seen then, and whether it is settled. "J" says
// that a join has completed.
func TestSettler(t *testing.T) {
	const quiet, settle = 500 * time.Millisecond, 5 * time.Second
	type step struct {
		at      int
		see     string // members besides self: "b" alive, "b!" failed
		settled bool
	}
	for _, c := range []struct {
		name     string
		first    bool
		expected string
		steps    []step
	}{
		{"the first node settles alone after a pause", true, "", []step{
			{0, "", false}, {400, "", false}, {500, "", true}, {60_000, "", true}}},
		{"a node with seeds waits for them for ever", false, "", []step{
			{0, "", false}, {500, "", false}, {600_000, "", false}}},
		{"a join settles once it is quiet", false, "", []step{
			{0, "", false}, {1000, "J b c", false}, {1200, "b c d", false}, {1600, "b c d", false}, {1700, "b c d", true}}},
		{"hearing of somebody is no join", false, "", []step{
			{0, "", false}, {100, "b", false}, {9000, "b", false}, {9100, "J b", true}}},
		{"a join that found nobody is none", false, "", []step{
			{0, "J", false}, {9000, "", false}}},
		{"unrest is waited for only so long", false, "", []step{
			{0, "J b", false}, {400, "b c", false}, {800, "b", false}, {1200, "b c", false}, {4900, "b", false}, {5000, "b c", true}}},
		{"those known before are waited for", false, "b c", []step{
			{0, "J b", false}, {500, "b", false}, {3000, "b c", false}, {3500, "b c", true}}},
		{"but only so long", false, "b c", []step{
			{0, "J b", false}, {4999, "b", false}, {5000, "b", true}}},
		{"isolation stays settled", false, "", []step{
			{0, "J b c", false}, {500, "b c", true}, {600, "b! c", true}, {700, "b! c!", true}, {600_000, "b! c!", true}}},
		{"its end begins anew, and failed ones are waited for", false, "", []step{
			{0, "J b c", false}, {500, "b c", true}, {700, "b! c!", true}, {9000, "b c!", false},
			{9100, "J b c!", false}, {9700, "b c!", false}, {9800, "b c", false}, {10_300, "b c", true}}},
		{"a flap while isolated leads back", false, "", []step{
			{0, "J b", false}, {500, "b", true}, {700, "b!", true}, {900, "b", false}, {1000, "b!", false}, {1500, "b!", true}}},
		{"a first node that meets others begins anew", true, "", []step{
			{0, "", false}, {500, "", true}, {800, "b", false}, {900, "J b c", false}, {1400, "b c", true}}},
		{"a failure among others changes nothing", false, "", []step{
			{0, "J b c", false}, {500, "b c", true}, {600, "b c!", true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			expected := map[string]struct{}{}
			for _, name := range strings.Fields(c.expected) {
				expected[name] = struct{}{}
			}
			s := newSettler(Config{Quiet: quiet, Settle: settle}, c.first, expected, start)
			last := ""
			for _, st := range c.steps {
				joined := strings.HasPrefix(st.see, "J")
				see := strings.TrimSpace(strings.TrimPrefix(st.see, "J"))
				members := []Member{{Name: "self", Status: Alive}}
				for _, f := range strings.Fields(see) {
					m := Member{Name: strings.TrimSuffix(f, "!"), Status: Alive}
					if m.Name != f {
						m.Status = Failed
					}
					members = append(members, m)
				}
				now := start.Add(time.Duration(st.at) * time.Millisecond)
				if got := s.look(members, "self", see != last, joined, now); got != st.settled {
					t.Fatalf("at %d ms, seeing %q: settled %v", st.at, st.see, got)
				}
				last = see
			}
		})
	}
}

// While only time is missing to settle, the viewer is told when to look.
func TestSettlerWakes(t *testing.T) {
	start := time.Now()
	c := Config{Quiet: 500 * time.Millisecond, Settle: 5 * time.Second}
	self := []Member{{Name: "self", Status: Alive}}
	s := newSettler(c, true, nil, start)
	s.look(self, "self", true, false, start)
	if got := s.wake(start); got != c.Quiet {
		t.Errorf("wake in %v, want %v", got, c.Quiet)
	}
	s.look(self, "self", false, false, start.Add(c.Quiet))
	if got := s.wake(start.Add(c.Quiet)); got != 0 {
		t.Errorf("wake in %v though settled", got)
	}
	s = newSettler(c, false, nil, start)
	s.look(self, "self", true, false, start)
	if got := s.wake(start); got != 0 {
		t.Errorf("wake in %v though there is no join to wait out", got)
	}
}
