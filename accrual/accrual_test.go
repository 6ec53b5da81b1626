package accrual

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2004, 10, 18, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

func config(expected time.Duration) *Config {
	c := Config{Expected: expected}.WithDefaults()
	return &c
}

// The paper's formula. The chances of z standard deviations are from tables of
// the normal distribution's upper tail, Q(z).
func TestFormula(t *testing.T) {
	for _, c := range []struct{ t, mean, deviation, later float64 }{
		{10, 10, 1, 0.5},
		{11, 10, 1, 0.15865525393145705},
		{12, 10, 1, 0.022750131948179207},
		{13, 10, 1, 0.0013498980316300933},
		{20, 10, 2, 2.866515718791939e-07},
		{16, 10, 1, 9.865876450376981e-10},
		{20, 10, 1, 7.619853024160527e-24},
		{30, 10, 1, 2.7536241186062337e-89},
		{9, 10, 1, 0.8413447460685429},
		{0, 10, 1, 1},
		{9, 10, 0, 1},
	} {
		want := math.Abs(math.Log10(c.later))
		if got := phi(c.t, c.mean, c.deviation); math.Abs(got-want) > 1e-9*max(want, 1) {
			t.Errorf("φ(%g) of N(%g, %g²) is %.12g, want %.12g", c.t, c.mean, c.deviation, got, want)
		}
	}
	for _, silence := range []float64{1e3, 1e9, math.MaxFloat64, math.Inf(1)} {
		if got := phi(silence, 10, 1); got != Max {
			t.Errorf("φ(%g) is %g, not %d", silence, got, Max)
		}
	}
	if got := phi(10, 10, 0); got != Max {
		t.Errorf("without any deviation φ is %g", got)
	}
}

// Against an integral of the density itself, done in another way: Simpson's
// rule over 12 standard deviations.
func TestFormulaIntegrated(t *testing.T) {
	for z := -3.0; z <= 7; z += 0.25 {
		const steps = 40_000
		h := 12.0 / steps
		sum := new(big.Float)
		for i := range steps + 1 {
			x := z + float64(i)*h
			weight := 2.0
			switch {
			case i == 0 || i == steps:
				weight = 1
			case i%2 == 1:
				weight = 4
			}
			sum.Add(sum, big.NewFloat(weight*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)))
		}
		later, _ := sum.Float64()
		want := -math.Log10(later * h / 3)
		if got := phi(5+2*z, 5, 2); math.Abs(got-want) > 1e-6 {
			t.Errorf("z=%g: φ is %g, the integral says %g", z, got, want)
		}
	}
}

// Without heartbeats φ never falls, and one makes it fall.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expected := time.Duration(rapid.Int64Range(1e6, 1e11).Draw(t, "expected"))
		d := New(config(expected))
		now := start
		for range rapid.IntRange(1, 200).Draw(t, "heartbeats") {
			now = now.Add(time.Duration(rapid.Float64Range(0, 12).Draw(t, "gap") * float64(expected)))
			before := d.Phi(now)
			d.Heartbeat(now)
			after := d.Phi(now)
			if after > before && before > 0 && after > 0.35 {
				t.Fatalf("a heartbeat made φ rise from %g to %g", before, after)
			}
			if after > 1 {
				t.Fatalf("φ is %g just after a heartbeat", after)
			}
		}
		last := d.Phi(now)
		for range 50 {
			now = now.Add(time.Duration(rapid.Float64Range(0, 2).Draw(t, "silence") * float64(expected)))
			p := d.Phi(now)
			if math.IsNaN(p) || p < last || p > Max {
				t.Fatalf("φ went from %g to %g in silence", last, p)
			}
			last = p
		}
		if p := d.Phi(now.Add(10_000 * expected)); p != Max {
			t.Fatalf("a node silent for ages has φ %g", p)
		}
		d.Heartbeat(now.Add(10_001 * expected))
		if p := d.Phi(now.Add(10_001 * expected)); p > 1 {
			t.Fatalf("it is back, and φ is %g", p)
		}
	})
}

// What the window holds is the mean and deviation of its samples, however they
// came into the ring.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Expected: time.Second, MinStdDev: 1, Window: rapid.IntRange(2, 20).Draw(t, "window")}.WithDefaults()
		d := New(&c)
		samples := []float64{0.75, 1.25}
		now := start
		d.Heartbeat(now)
		for range rapid.IntRange(1, 60).Draw(t, "samples") {
			gap := time.Duration(rapid.Int64Range(1e6, 1e10).Draw(t, "gap"))
			now = now.Add(gap)
			d.Heartbeat(now)
			samples = append(samples, gap.Seconds())
		}
		samples = samples[max(0, len(samples)-c.Window):]
		var mean, deviation float64
		for _, s := range samples {
			mean += s / float64(len(samples))
		}
		for _, s := range samples {
			deviation += (s - mean) * (s - mean) / float64(len(samples))
		}
		deviation = math.Sqrt(deviation)
		gotMean, gotDeviation := d.Rhythm()
		if math.Abs(gotMean.Seconds()-mean) > 1e-5 || math.Abs(gotDeviation.Seconds()-deviation) > 1e-5 {
			t.Fatalf("rhythm %v ± %v, want %gs ± %gs", gotMean, gotDeviation, mean, deviation)
		}
	})
}

// With few samples the first estimate counts: a node that has answered once is
// given time, and then is suspected.
func TestFewSamples(t *testing.T) {
	d := New(config(4 * time.Second))
	if d.Heard() || d.Phi(at(time.Hour)) != 0 || d.Suspected(at(time.Hour)) {
		t.Error("a node that was never heard is suspected")
	}
	d.Heartbeat(at(0))
	mean, deviation := d.Rhythm()
	if !d.Heard() || mean != 4*time.Second || deviation != time.Second {
		t.Errorf("after one heartbeat the rhythm is %v ± %v", mean, deviation)
	}
	if d.Suspected(at(9 * time.Second)) { // 5 σ: φ 6.5
		t.Errorf("suspected with φ %g", d.Phi(at(9*time.Second)))
	}
	if !d.Suspected(at(10 * time.Second)) { // 6 σ: φ 9
		t.Errorf("not suspected with φ %g", d.Phi(at(10*time.Second)))
	}
	// Very regular, and then late: MinStdDev keeps that from being an outrage.
	for i := range 100 {
		d.Heartbeat(at(time.Duration(i) * 4 * time.Second))
	}
	if mean, deviation := d.Rhythm(); mean != 4*time.Second || deviation != time.Second {
		t.Errorf("of a regular node the rhythm is %v ± %v", mean, deviation)
	}
}

// While nobody asks nobody is suspected, what was learnt stays, and the pause
// is not learnt.
func TestPause(t *testing.T) {
	d := New(config(time.Second))
	for i := range 20 {
		d.Heartbeat(at(time.Duration(i) * time.Second))
	}
	mean, deviation := d.Rhythm()
	d.Pause()
	d.Pause()
	if p := d.Phi(at(time.Hour)); p != 0 {
		t.Errorf("φ in a pause is %g", p)
	}
	d.Resume(at(time.Hour))
	d.Resume(at(time.Hour + time.Minute)) // no pause any more
	if p := d.Phi(at(time.Hour)); p > 0.01 {
		t.Errorf("φ after a pause is %g", p)
	}
	if !d.Suspected(at(time.Hour + 5*time.Second)) {
		t.Error("a node that died in the pause is never suspected")
	}
	d.Heartbeat(at(time.Hour + 5*time.Second)) // late, but since the pause
	if m, v := d.Rhythm(); m != mean || v != deviation {
		t.Errorf("the pause was learnt: %v ± %v, not %v ± %v", m, v, mean, deviation)
	}
	d.Heartbeat(at(time.Hour + 6*time.Second))
	if m, _ := d.Rhythm(); m != mean {
		t.Errorf("the mean is %v, not %v", m, mean)
	}
	// A heartbeat ends a pause, too, and the time in it is no sample.
	d.Pause()
	d.Heartbeat(at(time.Hour + 9*time.Second))
	if m, _ := d.Rhythm(); m != mean || !d.Suspected(at(2*time.Hour)) {
		t.Errorf("after a heartbeat in the pause: mean %v", m)
	}
}

// A clock that is set, without Go's monotonic reading, neither accuses nor
// confuses for good.
func TestClockJumps(t *testing.T) {
	d := New(config(time.Second))
	for i := range 10 {
		d.Heartbeat(at(time.Duration(i) * time.Second))
	}
	mean, deviation := d.Rhythm()
	if p := d.Phi(at(-time.Hour)); p > 0.01 {
		t.Errorf("an hour back, φ is %g", p)
	}
	d.Heartbeat(at(-time.Hour))
	d.Heartbeat(at(time.Hour)) // longer than MaxGap
	if m, v := d.Rhythm(); m != mean || v != deviation {
		t.Errorf("jumps were learnt: %v ± %v", m, v)
	}
	if p := d.Phi(at(time.Hour)); p > 0.01 {
		t.Errorf("after the jumps, φ is %g", p)
	}
}

func BenchmarkPhi(b *testing.B) {
	d := New(config(time.Second))
	for i := range 100 {
		d.Heartbeat(at(time.Duration(i) * time.Second))
	}
	now := at(103 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		d.Phi(now)
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	d := New(config(time.Second))
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		d.Heartbeat(now)
	}
}
