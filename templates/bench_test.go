package templates

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"text/template"

	"muster/cluster"
)

// someMembers returns n members, sorted by name, one in three of them on IPv6.
func someMembers(n int) []cluster.Member {
	ms := make([]cluster.Member, n)
	for i := range ms {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%3 == 0 {
			addr = netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1))
		}
		ms[i] = cluster.Member{Name: fmt.Sprintf("web-%05d", i), Addr: addr, Port: 7946, Status: cluster.Alive,
			Tags: map[string]string{"role": "web", "weight": fmt.Sprint(1 + i%9)}}
	}
	return ms
}

// changed returns ms with other tags for its i-th member.
func changed(ms []cluster.Member, i, weight int) []cluster.Member {
	ms = slices.Clone(ms)
	ms[i].Tags = maps.Clone(ms[i].Tags)
	ms[i].Tags["weight"] = fmt.Sprint(weight)
	return ms
}

const benchText = `upstream {{.Vars.upstream}} {
{{range .Members}}    server {{.Addr}}:{{$.Vars.port}} weight={{.Tags.weight}};
{{else}}    server 127.0.0.1:9 down;
{{end}}}
`

func benchData(ms []cluster.Member) Data {
	return Data{Members: ms, AllMembers: ms, Self: ms[0], Rule: "web", Vars: map[string]any{
		"upstream": "web", "port": 8080, "weight_tag": "weight"}}
}

var sizes = []int{100, 1000, 10000}

// BenchmarkFloor is plain text/template on the same template, without any
// escaping (and so without brackets for IPv6).
func BenchmarkFloor(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tm := template.Must(template.New("").Parse(benchText))
			d := benchData(someMembers(n))
			b.ReportAllocs()
			for b.Loop() {
				if err := tm.Execute(io.Discard, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFull renders every member anew: the vars differ each time.
func BenchmarkFull(b *testing.B) {
	benchmark(b, Nginx, benchText, func(d *Data, i int) { d.Vars = maps.Clone(d.Vars); d.Vars["n"] = i })
}

// BenchmarkOneChanged renders after one member's tags have changed.
func BenchmarkOneChanged(b *testing.B) {
	benchmark(b, Nginx, benchText, changeOne)
}

// BenchmarkNothingChanged renders the same members again.
func BenchmarkNothingChanged(b *testing.B) {
	benchmark(b, Nginx, benchText, func(*Data, int) {})
}

// BenchmarkBuiltinOneChanged does so with the built-in template.
func BenchmarkBuiltinOneChanged(b *testing.B) {
	text, f, _ := Builtin("nginx-upstream")
	benchmark(b, f, text, changeOne)
}

// BenchmarkBuiltinFull does so with the built-in template.
func BenchmarkBuiltinFull(b *testing.B) {
	text, f, _ := Builtin("nginx-upstream")
	benchmark(b, f, text, func(d *Data, i int) { d.Vars = maps.Clone(d.Vars); d.Vars["n"] = i })
}

// BenchmarkGroups renders what is not kept: members by role, one changed.
func BenchmarkGroups(b *testing.B) {
	benchmark(b, INI, `{{range $role, $ms := groupBy .Members "role"}}[{{$role}}]
{{range $ms}}{{.Name}} ansible_host={{.Addr}}
{{end}}{{end}}`, changeOne)
}

// BenchmarkJSON renders a list with commas between the members, one changed.
func BenchmarkJSON(b *testing.B) {
	benchmark(b, JSON, `[{{range $i, $m := .Members}}{{if $i}}, {{end}}{"targets": ["{{.Addr}}:{{$.Vars.port}}"], "labels": {"node": {{.Name}}, "weight": {{.Tags.weight}}}}
{{end}}]`, changeOne)
}

// BenchmarkHostile renders with a tenth of the members refused.
func BenchmarkHostile(b *testing.B) {
	benchmark(b, Nginx, benchText, func(d *Data, i int) {
		if i == 0 {
			d.Members = slices.Clone(d.Members)
			for j := 0; j < len(d.Members); j += 10 {
				d.Members[j].Tags = map[string]string{"weight": "1;}\nserver{"}
			}
		}
		changeOne(d, i)
	})
}

func changeOne(d *Data, i int) {
	d.Members = changed(d.Members, (1+i*7)%len(d.Members), 10+i)
	d.AllMembers = d.Members
}

func benchmark(b *testing.B, f Format, text string, change func(d *Data, i int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tm, err := Parse(text, Options{Name: "bench", Format: f})
			if err != nil {
				b.Fatal(err)
			}
			d := benchData(someMembers(n))
			if _, err := tm.Execute(d); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				change(&d, i)
				b.StartTimer()
				if _, err := tm.Execute(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
