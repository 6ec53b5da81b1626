package cluster_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// withPast starts a node that has heard e1 to en, and returns n's time.
func withPast(t *testing.T, c cluster.Config, n int) (*node, uint64) {
	t.Helper()
	c.Name, c.Bind = "old", loopback()
	old := start(t, c)
	old.waitFor("old:alive")
	heard := old.Subscribe(n)
	defer heard.Close()
	var last uint64
	for i := range n {
		if err := old.Send(t.Context(), fmt.Sprintf("e%02d", i+1), nil, false); err != nil {
			t.Fatal(err)
		}
		last = next(t, heard, cluster.EventUser).LTime
	}
	return old, last
}

// until sends mark through n and returns the user events that s holds before
// it, without other marks: whatever was on its way has arrived or never will.
func until(t *testing.T, n *node, s *cluster.Subscription, mark string) (out []string) {
	t.Helper()
	if err := n.Send(t.Context(), mark, nil, false); err != nil {
		t.Fatal(err)
	}
	for {
		e := next(t, s, cluster.EventUser)
		if e.Name == mark {
			return out
		}
		if !strings.HasPrefix(e.Name, "now-") {
			out = append(out, e.Name)
		}
	}
}

// exchanges waits until n has exchanged its state with old's list several
// times more: three intervals of an exchange every 50 ms.
func exchanges() { time.Sleep(300 * time.Millisecond) }

const often = 50 * time.Millisecond

// However a fresh node joins, it hears nothing of before, not even later.
func TestFreshNodeHearsNoHistory(t *testing.T) {
	t.Parallel()
	old, _ := withPast(t, cluster.Config{PushPullInterval: often}, 20)
	by := old.Info().Bind
	for name, c := range map[string]cluster.Config{
		"joins":  {Join: []string{by}},
		"joined": {},
		"rejoin": {},
	} {
		t.Run(name, func(t *testing.T) {
			c.Name, c.Bind, c.PushPullInterval = name, loopback(), often
			n := start(t, c)
			heard := n.Subscribe(256)
			defer heard.Close()
			if name != "joins" {
				n.waitFor(name + ":alive")
			}
			var err error
			switch name {
			case "joined":
				_, err = old.JoinThrough(t.Context(), []string{n.Info().Bind}, false)
			case "rejoin":
				_, err = n.JoinThrough(t.Context(), []string{by}, false)
			}
			if err != nil {
				t.Fatal(err)
			}
			n.wait("old is there", func(v cluster.View) bool { m, _ := v.Member("old"); return m.Status == cluster.Alive })
			exchanges()
			if got := until(t, old, heard, "now-"+name); got != nil {
				t.Errorf("heard %q", got)
			}
			exchanges()
			if got := userEvents(heard); got != nil {
				t.Errorf("heard later %q", got)
			}
			n.leave()
		})
	}
}

// Two fresh nodes meet each other before they meet the old one.
func TestFreshNodesTogetherHearNoHistory(t *testing.T) {
	t.Parallel()
	old, _ := withPast(t, cluster.Config{PushPullInterval: often}, 20)
	// A node that is alone keeps what it sends until somebody is there.
	first := start(t, cluster.Config{Name: "first", Bind: loopback(), Join: []string{old.Info().Bind}})
	first.waitFor("first:alive old:alive")
	eventually(t, "all are sent", func() bool { return old.Stats()["serf"]["event_queue"] == "0" })
	a := start(t, cluster.Config{Name: "a", Bind: loopback(), PushPullInterval: 10 * time.Second})
	a.waitFor("a:alive")
	b := start(t, cluster.Config{Name: "b", Bind: loopback(), PushPullInterval: 10 * time.Second, Join: []string{a.Info().Bind}})
	heard := b.Subscribe(256)
	defer heard.Close()
	b.waitFor("a:alive b:alive")
	if _, err := a.JoinThrough(t.Context(), []string{old.Info().Bind}, false); err != nil {
		t.Fatal(err)
	}
	b.wait("old is there", func(v cluster.View) bool { m, _ := v.Member("old"); return m.Status == cluster.Alive })
	exchanges()
	if got := until(t, old, heard, "now"); got != nil {
		t.Errorf("heard %q", got)
	}
}

func TestHistoryWhereWanted(t *testing.T) {
	t.Parallel()
	old, last := withPast(t, cluster.Config{PushPullInterval: often}, 20)
	all := make([]string, 20)
	for i := range all {
		all[i] = fmt.Sprintf("e%02d", i+1)
	}
	for name, tc := range map[string]struct {
		c    cluster.Config
		want []string
	}{
		"replay":      {cluster.Config{ReplayOnJoin: true}, all},
		"since-five":  {cluster.Config{Since: last - 5}, all[15:]},
		"since-last":  {cluster.Config{Since: last}, nil},
		"since-later": {cluster.Config{Since: last + 7}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tc.c.Name, tc.c.Bind, tc.c.PushPullInterval, tc.c.Join = name, loopback(), often, []string{old.Info().Bind}
			n, heard := startHearing(t, tc.c, 256)
			defer heard.Close()
			n.wait("old is there", func(v cluster.View) bool { return v.Settled && len(v.Members) > 1 })
			exchanges()
			got := until(t, n, heard, "now-"+name)
			slices.Sort(got)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			n.leave()
		})
	}
	// JoinThrough asks for it, too.
	n := start(t, cluster.Config{Name: "asks", Bind: loopback()})
	heard := n.Subscribe(256)
	defer heard.Close()
	n.waitFor("asks:alive")
	if _, err := n.JoinThrough(t.Context(), []string{old.Info().Bind}, true); err != nil {
		t.Fatal(err)
	}
	got := until(t, n, heard, "now-asks")
	slices.Sort(got)
	if d := cmp.Diff(all, got); d != "" {
		t.Error(d)
	}
}

// The whole cluster is started anew: its clocks are behind what this node has
// heard, and yet its own events come after.
func TestOwnEventsComeAfterSince(t *testing.T) {
	t.Parallel()
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Since: 1000, Join: []string{a.Info().Bind}})
	own, others := n.Subscribe(8), a.Subscribe(8)
	defer own.Close()
	defer others.Close()
	if err := n.Send(t.Context(), "early", nil, false); err != nil {
		t.Fatal(err)
	}
	if e := next(t, own, cluster.EventUser); e.LTime <= 1000 {
		t.Errorf("the first event is at %d", e.LTime)
	}
	n.waitFor("a:alive n:alive")
	a.waitFor("a:alive n:alive")
	if err := a.Send(t.Context(), "reply", nil, false); err != nil {
		t.Fatal(err)
	}
	if e := next(t, own, cluster.EventUser); e.Name != "reply" || e.LTime <= 1001 {
		t.Errorf("the others' event is %s at %d", e.Name, e.LTime)
	}
}

// A node that moves to another address hears what it missed, and nothing
// twice, although Serf is created anew and is told everything again.
func TestNoEventTwiceAcrossLives(t *testing.T) {
	t.Parallel()
	old, _ := withPast(t, cluster.Config{PushPullInterval: often}, 3)
	h := &host{addr: netip.MustParseAddr(loopback())}
	n := startAt(t, cluster.Config{Name: "n", Join: []string{old.Info().Bind}, PushPullInterval: often}, h)
	heard := n.Subscribe(256)
	defer heard.Close()
	n.waitFor("n:alive old:alive")
	if got := until(t, old, heard, "first"); got != nil {
		t.Errorf("heard %q", got)
	}
	for life := range 2 {
		epoch := n.View().Epoch
		h.move(netip.MustParseAddr(loopback()))
		missed := fmt.Sprint("missed", life)
		if err := old.Send(t.Context(), missed, nil, false); err != nil {
			t.Fatal(err)
		}
		n.wait("it has moved", func(v cluster.View) bool { return v.Epoch > epoch && v.Settled && !v.Alone() })
		exchanges()
		mark := fmt.Sprint("mark", life)
		if d := cmp.Diff([]string{missed}, until(t, old, heard, mark)); d != "" {
			t.Error(d)
		}
	}
	if got := userEvents(heard); got != nil {
		t.Errorf("heard also %q", got)
	}
}

// The snapshot says where to go on if nobody else does; where it is ahead of
// Since, the process ended before the events were taken in.
func TestSnapshotAndSince(t *testing.T) {
	t.Parallel()
	old, last := withPast(t, cluster.Config{PushPullInterval: often}, 20)
	for name, tc := range map[string]struct {
		clock, since uint64
		want         int
	}{
		"snapshot": {last - 3, 0, 3},
		"ahead":    {last, last - 5, 5},
		"behind":   {last - 5, last - 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "snapshot")
			text := fmt.Sprintf("event-clock: %d\nclock: 1", tc.clock) // cut off
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			n, heard := startHearing(t, cluster.Config{
				Name: name, Bind: loopback(), PushPullInterval: often, Join: []string{old.Info().Bind},
				SnapshotPath: path, Since: tc.since,
			}, 256)
			defer heard.Close()
			n.wait("old is there", func(v cluster.View) bool { return v.Settled && len(v.Members) > 1 })
			exchanges()
			if got := until(t, n, heard, "now-"+name); len(got) != tc.want {
				t.Errorf("heard %q, want %d", got, tc.want)
			}
			n.leave()
		})
	}
}

// Lost gossip is made good by exchanges, on a node that is no longer new.
func TestLostGossipIsMadeGood(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Since: 1})
	heard := n.Subscribe(8)
	defer heard.Close()
	n.waitFor("n:alive")
	for range 3 {
		_, err := clustertest.Exchange(n.Info().Bind, clustertest.State{
			Events: []clustertest.PastEvent{{Name: "lost", LTime: 7}, {Name: "known", LTime: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"lost"}, until(t, n, heard, "mark")); d != "" {
		t.Error(d)
	}
}
