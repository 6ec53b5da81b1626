package templates

import (
	"fmt"
	"testing"
)

// BenchmarkFileSD renders the targets of members with ten tags each, one of
// them changed.
func BenchmarkFileSD(b *testing.B) {
	text, f, _ := Builtin("prometheus-file-sd")
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tm, err := Parse(text, Options{Name: "bench", Format: f})
			if err != nil {
				b.Fatal(err)
			}
			ms := someMembers(n)
			for i := range ms {
				for j := range 8 {
					ms[i].Tags[fmt.Sprintf("tag-%d", j)] = fmt.Sprintf("value-%d", i%100)
				}
			}
			d := benchData(ms)
			d.Vars = map[string]any{"port": 9100}
			if _, err := tm.Execute(d); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				changeOne(&d, i)
				b.StartTimer()
				if _, err := tm.Execute(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
