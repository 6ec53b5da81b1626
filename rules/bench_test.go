package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"muster/cluster"
)

// manyMembers returns n alive members, each of one of a hundred roles.
func manyMembers(n int) []cluster.Member {
	ms := make([]cluster.Member, n)
	for i := range ms {
		ms[i] = cluster.Member{
			Name:   fmt.Sprintf("node-%05d", i),
			Addr:   netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
			Port:   7946,
			Status: cluster.Alive,
			Tags:   map[string]string{"role": fmt.Sprintf("role%02d", i%100), "weight": fmt.Sprint(i % 7), "zone": "eu-a"},
		}
	}
	cluster.SortMembers(ms)
	return ms
}

// manyRules returns the text of 100 rules, one for each role. %d in more is
// the rule's number.
func manyRules(more string) string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `
rule "r%d" {
  members {
    tags = { role = "role%02d" }
    %s
  }
  template {
    contents    = "x"
    destination = "/etc/%d"
  }
}
`, i, i, more, i)
	}
	return b.String()
}

// benchUpdate measures one member's change as all of the rules take it in.
func benchUpdate(b *testing.B, text string) {
	set, _, problems := loadText(text)
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	v := cluster.View{Epoch: 1, Self: "node-00000", Settled: true, Members: manyMembers(10000)}
	var selections []*Selection
	for _, r := range set.Rules {
		s := r.NewSelection()
		s.Update(time.Time{}, v, nil)
		selections = append(selections, s)
	}
	failed := v.Clone()
	failed.Members[4242].Status = cluster.Failed
	views := [2]cluster.View{failed, v}
	changes := [2][]cluster.Change{failed.Diff(v), v.Diff(failed)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := 0
		for _, s := range selections {
			if changed, _ := s.Update(time.Time{}, views[i%2], changes[i%2]); changed {
				n++
			}
		}
		if n != 1 {
			b.Fatalf("%d rules were affected", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(selections)), "ns/rule")
}

func BenchmarkUpdate100Rules(b *testing.B)   { benchUpdate(b, manyRules("")) }
func BenchmarkUpdate100Regexps(b *testing.B) { benchUpdate(b, manyRules(`name = "node-[0-9]+"`)) }
func BenchmarkUpdate100Wheres(b *testing.B) {
	benchUpdate(b, manyRules("where = tonumber(member.tags.weight) >= 0"))
}

func BenchmarkSelectAll(b *testing.B) {
	for _, c := range []struct{ name, clause string }{
		{"word", `tags = { zone = "eu-a" }`},
		{"regexp", `tags = { zone = "eu-.*" }`},
		{"where", `where = tonumber(member.tags.weight) > 0`},
		{"leader", `where = member.name == sort([for m in members : m.name if m.status == "alive"])[0]`},
		{"self", `where = member.tags.zone == self.tags.zone`},
	} {
		b.Run(c.name, func(b *testing.B) {
			set, _, problems := loadText(fmt.Sprintf("rule \"r\" {\n members {\n %s\n }\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n}\n", c.clause))
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			v := cluster.View{Epoch: 1, Self: "node-00000", Settled: true, Members: manyMembers(10000)}
			b.ReportAllocs()
			for b.Loop() {
				set.Rules[0].NewSelection().Update(time.Time{}, v, nil)
			}
		})
	}
}

func BenchmarkOutputs(b *testing.B) {
	for _, c := range []struct{ name, template string }{
		{"constant", `destination = "/x"
		              vars = { port = 80 }`},
		{"group_by", `for_each = group_by(members, "role")
		              destination = "/x/${each.key}"`},
		{"members", `destination = "/x"
		             vars = { names = [for m in members : m.name] }`},
		{"join", `destination = "/x"
		          vars = { names = join(",", members[*].name) }`},
	} {
		b.Run(c.name, func(b *testing.B) {
			set, _, problems := loadText(fmt.Sprintf("rule \"r\" {\n template {\n contents = \"x\"\n %s\n }\n}\n", c.template))
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			v := cluster.View{Epoch: 1, Self: "node-00000", Settled: true, Members: manyMembers(10000)}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := set.Rules[0].Outputs(Inputs{View: v, Members: v.Members}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	text := manyRules("where = tonumber(member.tags.weight) >= 0")
	b.ReportAllocs()
	for b.Loop() {
		loadText(text)
	}
}
