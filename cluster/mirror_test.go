package cluster

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/serf/serf"
	"pgregory.net/rapid"
)

// A mirror shows what a plain conversion of Serf's list would, whatever the
// changes from one look to the next, and says whether there were any.
func TestMirrorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror()
		serfs := map[string]serf.Member{}
		var last []Member
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				name := rapid.StringMatching(`[a-e]`).Draw(t, "name")
				if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
					delete(serfs, name)
					continue
				}
				serfs[name] = serf.Member{
					Name: name, Addr: net.IPv4(10, 0, 0, byte(rapid.IntRange(1, 2).Draw(t, "ip"))),
					Port:   uint16(rapid.IntRange(1, 2).Draw(t, "port")),
					Status: serf.MemberStatus(rapid.IntRange(1, 4).Draw(t, "status")),
					Tags:   map[string]string{"k": rapid.StringMatching(`[xy]`).Draw(t, "tag")},
				}
			}
			now := slices.Collect(maps.Values(serfs))
			want := make([]Member, len(now))
			for i, s := range now {
				want[i] = member(s)
			}
			SortMembers(want)
			changed := m.update(now)
			if diff := cmp.Diff(want, m.sorted, cmp.Comparer(func(a, b Member) bool { return a.Equal(b) })); diff != "" && len(want)+len(m.sorted) > 0 {
				t.Fatalf("mirror differs (-want +got):\n%s", diff)
			}
			if differs := len((View{Members: want}).Diff(View{Members: last})) > 0; differs != changed {
				t.Fatalf("update says changed: %v; it is %v", changed, differs)
			}
			last = m.sorted
		}
	})
}

// What a view holds is not Serf's: altering Serf's map alters no view, and
// the tags of an unchanged member are shared between views.
func TestMirrorCopiesOnce(t *testing.T) {
	m := newMirror()
	tags := map[string]string{"k": "v"}
	now := []serf.Member{
		{Name: "a", Addr: net.IPv4(10, 0, 0, 1), Port: 1, Status: serf.StatusAlive, Tags: tags},
		{Name: "b", Addr: net.IPv4(10, 0, 0, 2), Port: 1, Status: serf.StatusAlive, Tags: map[string]string{"k": "w"}},
	}
	m.update(now)
	first := m.sorted
	tags["k"] = "changed"
	if got := first[0].Tags["k"]; got != "v" {
		t.Errorf("the view shares Serf's tags: k is %q", got)
	}
	now[1].Status = serf.StatusFailed
	m.update(now)
	m.sorted[0].Tags["mark"] = "shared"
	if first[0].Tags["mark"] != "shared" {
		t.Error("an unchanged member's tags were copied again")
	}
	if first[1].Status != Alive {
		t.Error("an older view changed")
	}
}

// roll returns n members and Serf's way to list them, out of a map.
func roll(n int) (members map[string]*serf.Member, list func() []serf.Member) {
	members = map[string]*serf.Member{}
	for i := range n {
		name := fmt.Sprintf("web-%05d", i)
		members[name] = &serf.Member{
			Name: name, Addr: net.IPv4(10, 0, byte(i>>8), byte(i)).To4(), Port: 7946,
			Status: serf.StatusAlive, Tags: map[string]string{"role": "web", "dc": "eu-1", "weight": "10", "port": "8080"},
		}
	}
	return members, func() []serf.Member {
		out := make([]serf.Member, 0, len(members))
		for _, m := range members {
			out = append(out, *m)
		}
		return out
	}
}

// BenchmarkLook is one look: list the members as Serf does, and compare.
func BenchmarkLook(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		members, list := roll(n)
		m := newMirror()
		m.update(list())
		b.Run(fmt.Sprintf("nothing/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m.update(list()) {
					b.Fatal("something changed")
				}
			}
		})
		b.Run(fmt.Sprintf("one/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				members["web-00042"].Port++
				if !m.update(list()) {
					b.Fatal("nothing changed")
				}
			}
		})
	}
}

func TestMergeKeepsOrder(t *testing.T) {
	names := func(ms []Member) string {
		var out []string
		for _, m := range ms {
			out = append(out, m.Name+m.Tags["v"])
		}
		return strings.Join(out, " ")
	}
	of := func(v string, ns ...string) (out []Member) {
		for _, n := range ns {
			out = append(out, Member{Name: n, Tags: map[string]string{"v": v}})
		}
		return out
	}
	old := of("", "b", "d", "f")
	got := merge(old, of("2", "a", "d", "g"), map[string]bool{"f": true})
	if want := "a2 b d2 g2"; names(got) != want {
		t.Errorf("merge gives %q, want %q", names(got), want)
	}
	if names(old) != "b d f" {
		t.Errorf("merge altered the old list: %q", names(old))
	}
}
