package load

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var at = time.UnixMilli(1700000000123)

// The form that nodes of other versions read.
func TestWire(t *testing.T) {
	const wire = `{"v":1,"cpus":4,"l1":0.52,"l5":0.58,"l15":0.59,"mt":1000,"mf":400,"t":1700000000123}`
	l := Load{4, 0.52, 0.58, 0.59, 1000, 400}
	if text, err := l.Encode(at); err != nil || string(text) != wire {
		t.Errorf("%s, %v", text, err)
	}
	later := strings.Replace(wire, `"cpus"`, `"gpus":[{"x":1}],"cpus"`, 1)
	for _, text := range []string{wire, later} {
		got, clock, err := Decode([]byte(text))
		if err != nil || got != l || !clock.Equal(at) {
			t.Errorf("%s: %+v, %v, %v", text, got, clock, err)
		}
	}
	// A muster from before the clock was told, and clocks that cannot be.
	for _, of := range []string{"", `,"t":0`, `,"t":-1`, `,"t":9223372036854775807`} {
		text := strings.Replace(wire, `,"t":1700000000123`, of, 1)
		if got, clock, err := Decode([]byte(text)); err != nil || got != l || !clock.IsZero() {
			t.Errorf("%s: %+v, %v, %v", text, got, clock, err)
		}
	}
}

// What a node says comes back as it was, in few bytes.
func TestWireBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLoad(t)
		text, err := l.Encode(at)
		if err != nil || len(text) > 300 {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		got, _, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWireHostile(t *testing.T) {
	for _, text := range []string{
		"", "{}", "[]", "null", "7", `"x"`, "I am OK", "{", strings.Repeat("[", 1000), strings.Repeat(" ", MaxAnswer) + "{}",
		`{"v":2,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"cpus":1,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":0,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":-1,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1e9,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1,"l1":NaN,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1,"l1":-0.1,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1,"l1":1e7,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1,"l1":1e999,"l5":0,"l15":0,"mt":1,"mf":1}`,
		`{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":0,"mf":0}`,
		`{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":1,"mf":2}`,
		`{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":-1,"mf":-2}`,
		`{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":18446744073709551615,"mf":1}`,
		`{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":1,"mf":1} {}`,
	} {
		if l, _, err := Decode([]byte(text)); err == nil || l != (Load{}) {
			t.Errorf("%.60q is taken for %+v", text, l)
		} else if strings.ContainsAny(err.Error(), "\x00\n{[") || len(err.Error()) > 200 {
			t.Errorf("%.60q: the error repeats it: %v", text, err)
		}
	}
	for _, l := range []Load{{}, {CPUs: 1, MemTotal: 1, Load1: math.NaN()}, {CPUs: 1, MemTotal: 1, Load5: math.Inf(1)}} {
		if text, err := l.Encode(at); err == nil {
			t.Errorf("%+v is told as %s", l, text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"cpus":4,"l1":0.52,"l5":0.58,"l15":0.59,"mt":1000,"mf":400,"t":1700000000123}`))
	f.Add([]byte(`{"V":1,"v":1,"cpus":4.0,"l1":-0,"mt":1000}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, _, err := Decode(text)
		if err != nil {
			return
		}
		if r := l.Rate(); math.IsNaN(r) || math.IsInf(r, 0) || r < 0 {
			t.Fatalf("%q has the rate %g", text, r)
		}
		again, err := l.Encode(at)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := Decode(again); err != nil || got != l {
			t.Fatalf("%+v became %+v, %v", l, got, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		if _, err := Read("/"); err != nil {
			b.Fatal(err)
		}
	}
}
