package rpc

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

// members reads "a b:failed": names, and states other than alive.
func members(names string) []cluster.Member {
	var out []cluster.Member
	for i, word := range strings.Fields(names) {
		name, status, other := strings.Cut(word, ":")
		if !other {
			status = "alive"
		}
		out = append(out, cluster.Member{
			Name: name, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), Port: 7946, Status: cluster.Status(status),
		})
	}
	for i := range out { // the address belongs to the name
		out[i].Addr = netip.AddrFrom4([4]byte{192, 0, 2, out[i].Name[0]})
	}
	return out
}

func shown(ms []cluster.Member) string {
	var out []string
	for _, m := range ms {
		name := m.Name
		if m.Status != cluster.Alive {
			name += ":" + string(m.Status)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// What an agent lists, second by second, and what is made of it. Quiet is 1s,
// Settle 5s, Hold 30s; self is a. "+" connects.
func TestKeeper(t *testing.T) {
	for name, steps := range map[string][]struct {
		at   float64
		list string
		want string // members; "…" in front: not settled
	}{
		"an agent that has been up": {
			{0, "+a b c", "… a b c"}, {0.5, "a b c", "… a b c"}, {1, "a b c", "a b c"}, {2, "a b", "a b c"}, {3, "a b c:failed", "a b c:failed"},
		},
		"a list that does not come to rest": {
			{0, "+a b", "… a b"}, {0.9, "a b c", "… a b c"}, {1.8, "a b c:failed", "… a b c:failed"}, {2.7, "a b c", "… a b c"},
			{3.6, "a b c d", "… a b c d"}, {4.5, "a b c", "… a b c d"}, {5, "a b c d e", "a b c d e"},
		},
		"the connection was lost, nothing else": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"}, {60, "+a b c", "a b c"},
		},
		"the agent restarts and knows nobody at first": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"},
			{60, "+a", "… a b c"}, {69, "a", "… a b c"}, {70, "a b c", "… a b c"}, {71, "a b c", "a b c"},
		},
		"meanwhile one of them has died": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"},
			{60, "+a", "… a b c"}, {70, "a b", "… a b c"}, {71, "a b", "a b c"}, {72, "a b d", "a b c d"}, {89.9, "a b d", "a b c d"}, {90, "a b d", "a b d"},
		},
		"it stays alone": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"},
			{60, "+a", "… a b c"}, {89.9, "a", "… a b c"}, {90, "a", "a"},
			{100, "a b", "… a b"}, {100.5, "a b c", "… a b c"}, {101.5, "a b c", "a b c"},
		},
		"a lost connection in between begins anew": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"},
			{60, "+a", "… a b c"}, {80, "a", "… a b c"}, {85, "+a", "… a b c"}, {100, "a", "… a b c"}, {115, "a", "a"},
		},
		"an agent that has just started": {
			{0, "+a", "… a"}, {10, "a", "… a"}, {11, "a b c", "… a b c"}, {12, "a b c", "a b c"},
		},
		"an agent that is alone": {
			{0, "+a", "… a"}, {29.9, "a", "… a"}, {30, "a", "a"}, {31, "a b", "… a b"}, {32, "a b", "a b"},
		},
		"all others fail": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"}, {10, "a b:failed c:failed", "a b:failed c:failed"},
			{20, "a b c:failed", "… a b c:failed"}, {21, "a b c:failed", "a b c:failed"},
		},
		"Serf begins anew inside the agent": {
			{0, "+a b c", "… a b c"}, {1, "a b c", "a b c"}, {10, "a", "… a b c"}, {12, "a b", "… a b c"}, {13, "a b", "a b c"}, {14, "a b c", "a b c"},
		},
		"forgotten after a day": {
			{0, "+a b c:left", "… a b c:left"}, {1, "a b c:left", "a b c:left"}, {10, "a b", "a b c:left"}, {40, "a b", "a b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(AttachConfig{}.withDefaults())
			for _, s := range steps {
				now := time.Unix(1e9, 0).Add(time.Duration(s.at * float64(time.Second)))
				list, connects := strings.CutPrefix(s.list, "+")
				if connects {
					k.connect(now)
				}
				before := k.members
				changed := k.look(members(list), "a", now)
				got := shown(k.members)
				if !k.settled {
					got = "… " + got
				}
				if got != s.want {
					t.Errorf("at %v: %s; want %s", s.at, got, s.want)
				}
				if differs := shown(before) != shown(k.members); differs && !changed {
					t.Errorf("at %v: the change was not told", s.at)
				}
				if wake := k.wake(now); !k.settled && wake <= 0 {
					t.Errorf("at %v: not settled and never to wake", s.at)
				}
			}
		})
	}
}

// The agent has another name after a restart: the old one is not kept.
func TestKeeperRenamed(t *testing.T) {
	k := newKeeper(AttachConfig{}.withDefaults())
	now := time.Unix(1e9, 0)
	k.connect(now)
	k.look(members("a b"), "a", now)
	k.connect(now)
	k.look(members("b z"), "z", now.Add(time.Second))
	if got := shown(k.members); got != "b z" {
		t.Errorf("shown: %s", got)
	}
}

// Whatever an agent lists: nobody who was shown goes before Hold is over, all
// who are listed are shown as listed, and in the end what is shown is the
// list, settled.
func TestKeeperProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := newKeeper(AttachConfig{}.withDefaults())
		now := time.Unix(1e9, 0)
		k.connect(now)
		listedLast := map[string]time.Time{}
		begun := now
		var list []cluster.Member
		look := func() {
			k.look(list, "a", now)
			view := cluster.View{Members: k.members}
			for _, m := range list {
				listedLast[m.Name] = now
				if got, ok := view.Member(m.Name); !ok || !got.Equal(m) {
					t.Fatalf("%s is listed as %v and shown as %v", m.Name, m, got)
				}
			}
			for name, last := range listedLast {
				if _, ok := view.Member(name); !ok && (now.Sub(last) < k.hold || now.Sub(begun) < k.hold) {
					t.Fatalf("%s, listed %s ago, is gone", name, now.Sub(last))
				}
			}
			for i := 1; i < len(k.members); i++ {
				if k.members[i-1].Name >= k.members[i].Name {
					t.Fatalf("not in order: %s", shown(k.members))
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "reconnects") == 0 {
				k.connect(now)
				begun = now
			}
			names := "a"
			for c := byte('b'); c < 'h'; c++ {
				names += []string{"", " " + string(c), " " + string(c) + ":failed"}[rapid.IntRange(0, 2).Draw(t, "state")]
			}
			list = members(names)
			look()
		}
		for range 40 {
			now = now.Add(time.Second)
			look()
		}
		if !k.settled || cmp.Diff(shown(list), shown(k.members)) != "" || k.wake(now) != 0 {
			t.Fatalf("in the end %s is listed, and shown %s, settled %v, wake %s", shown(list), shown(k.members), k.settled, k.wake(now))
		}
	})
}

// What cannot be a member is not shown, and told of once.
func TestKeeperAccepts(t *testing.T) {
	k := newKeeper(AttachConfig{MaxMembers: 4}.withDefaults())
	var list []Member
	for _, m := range members("a b b c d e f") {
		list = append(list, Member{Member: m})
	}
	list[3].Name = "c\nserver evil"
	list[4].Tags = map[string]string{"x": strings.Repeat("y", 600)}
	list[6].Status = "none"
	got, news := k.accept(list, "a")
	var why []string
	for _, n := range news {
		why = append(why, fmt.Sprintf("%q %s", n.name, n.why))
	}
	if diff := cmp.Diff([]string{`"b" message`, `"c\nserver evil" name`, `"d" tags`, `"f" message`}, why); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if shown(got) != "a b e" {
		t.Errorf("accepted: %s", shown(got))
	}
	k.look(got, "a", time.Unix(1e9, 0))
	if _, news = k.accept(list, "a"); len(news) != 0 {
		t.Errorf("told again: %v", news)
	}
	list = list[:0]
	for _, m := range members("a a1 a2 a3 b e") { // a, b and e are known
		list = append(list, Member{Member: m})
	}
	got, news = k.accept(list, "a")
	if shown(got) != "a a1 b e" || len(news) != 2 || news[0].why != cluster.RefusedTooMany {
		t.Errorf("accepted %s, refused %v", shown(got), news)
	}
}
