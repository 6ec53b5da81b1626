package haproxy

import (
	"testing"
)

// One change among 1,000 servers, in a real haproxy.
func BenchmarkPushOne(b *testing.B) {
	benchmark(b, 1000, func(i int) string {
		lines, _ := members(1000, 0)
		lines[500] = []string{"x 127.9.9.9:80", "x 127.9.9.9:81"}[i%2]
		return config("web", lines...)
	}, false)
}

// Nothing to do among 1,000 servers.
func BenchmarkPushNone(b *testing.B) {
	benchmark(b, 1000, func(int) string {
		lines, _ := members(1000, 0)
		return config("web", lines...)
	}, false)
}

// 500 servers that come; those that go are not counted.
func BenchmarkPushAdd(b *testing.B) {
	benchmark(b, 0, func(int) string {
		lines, _ := members(500, 0)
		for i := range lines {
			lines[i] += " check inter 1h"
		}
		return config("web", lines...)
	}, true)
}

func BenchmarkPushable(b *testing.B) {
	lines, _ := members(1000, 0)
	before := []byte(config("web", lines...))
	lines[500] = "x 127.9.9.9:80"
	after := []byte(config("web", lines...))
	b.ReportAllocs()
	for b.Loop() {
		if err := Pushable(before, after); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmark(b *testing.B, n int, text func(i int) string, again bool) {
	lines, _ := members(n, 0)
	p := newProxy(b, config("web", lines...))
	r := p.runtime(0)
	texts := [][]byte{[]byte(text(0)), []byte(text(1))}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if again && i > 0 {
			b.StopTimer()
			if _, err := r.Push(b.Context(), []byte(config("web"))); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if _, err := r.Push(b.Context(), texts[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
