package nodes

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"muster/cluster"
)

// filled is a Book of n nodes with a full window each.
func filled(b *testing.B, n int) *Book {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("node-%05d", i)
	}
	u := newUniverse(names...)
	v := u.View()
	book, err := New(Config{View: func() cluster.View { return v }, Ask: u.ask})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	book.asking(nil, now)
	text := []byte(idle())
	for round := range 80 {
		for _, name := range names {
			book.answer(cluster.Answer{From: name, Payload: text}, now.Add(time.Duration(round)*5*time.Second))
		}
	}
	return book
}

// What a look costs, and in "B/node" what a node that answers takes.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			book := filled(b, n)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportAllocs()
			for b.Loop() {
				book.report(time.Now())
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/node")
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	book := filled(b, 10)
	text, now := []byte(idle()), time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		book.answer(cluster.Answer{From: "node-00003", Payload: text}, now)
	}
}
