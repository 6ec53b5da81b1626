// Package accrual suspects nodes by degrees: it is the φ accrual failure
// detector of Hayashibara, Défago, Yared and Katayama, "The φ Accrual Failure
// Detector" (SRDS 2004).
//
// From the times between the heartbeats of one node so far it says how
// unlikely its silence has become. It has no clock, sends nothing, and decides
// nothing: what becomes of a suspicion, and what a heartbeat is, is for others.
package accrual

import (
	"math"
	"time"
)

// Max is the largest φ that is told: a chance of 10^-300, about where the
// numbers of the machine end.
const Max = 300

// A Config says how nodes are suspected. The zero value of each field but
// Expected is its default.
type Config struct {
	// Expected is the time between two heartbeats until some were seen: the
	// window begins with two samples around it, a quarter of it less and a
	// quarter of it more, which leave it as any other sample.
	Expected time.Duration
	// MinStdDev is the least standard deviation that is reckoned with. A
	// network that has been regular is not regular for ever, and without it
	// the first late heartbeat would be an outrage. Default: a quarter of
	// Expected.
	MinStdDev time.Duration
	// MaxGap is the longest time between two heartbeats that counts as one:
	// what is longer was a pause, an outage or a jump of the clock, and is not
	// learnt from. Default: ten times Expected.
	MaxGap time.Duration
	// Window is how many of the latest samples count; default 64.
	Window int
	// Threshold is the φ from which a node is suspected; default 8, a chance
	// of 1 in 100 million that a heartbeat so late is still to come.
	Threshold float64
}

// WithDefaults returns c with its defaults.
func (c Config) WithDefaults() Config {
	if c.MinStdDev <= 0 {
		c.MinStdDev = c.Expected / 4
	}
	if c.MaxGap <= 0 {
		c.MaxGap = 10 * c.Expected
	}
	if c.Window <= 0 {
		c.Window = 64
	}
	if c.Threshold <= 0 {
		c.Threshold = 8
	}
	return c
}

// A Detector watches one node. It is for one goroutine at a time. It learns
// the time from its caller; where the times carry Go's monotonic clock, as
// those of time.Now do, setting the machine's clock changes nothing, and where
// they do not, a step back counts as no time at all.
type Detector struct {
	c *Config

	heard   bool // a heartbeat, ever
	paused  bool // none is expected
	regular bool // the time from last to the next one is a sample
	last    time.Time

	window []float32 // seconds; a ring once it is full
	next   int       // in window
}

// New returns a Detector. It keeps c, which has its defaults and which nobody
// changes any more: many detectors share one.
func New(c *Config) *Detector { return &Detector{c: c} }

// Heartbeat notes that one arrived at now. It ends a pause.
func (d *Detector) Heartbeat(now time.Time) {
	gap := now.Sub(d.last)
	if d.heard && !d.paused && d.regular && gap >= 0 && gap <= d.c.MaxGap {
		d.learn(gap)
	}
	d.heard, d.paused, d.regular, d.last = true, false, true, now
}

// learn takes a sample into the window.
func (d *Detector) learn(gap time.Duration) {
	if len(d.window) == 0 {
		expected, quarter := d.c.Expected.Seconds(), d.c.Expected.Seconds()/4
		d.window = append(d.window, float32(expected-quarter), float32(expected+quarter))
	}
	sample := float32(gap.Seconds())
	if len(d.window) < d.c.Window {
		d.window = append(d.window, sample)
		return
	}
	d.window[d.next%len(d.window)] = sample
	d.next = (d.next + 1) % len(d.window)
}

// Pause says that no heartbeat is expected until Resume: nobody asks for any,
// or cannot. Meanwhile there is no suspicion, and what was learnt stays.
func (d *Detector) Pause() { d.paused = true }

// Resume says that from now on heartbeats are expected again. The silence
// counts from now; the time until the next one says nothing about the node's
// rhythm. It means nothing where there was no Pause.
func (d *Detector) Resume(now time.Time) {
	if d.paused {
		d.paused, d.regular, d.last = false, false, now
	}
}

// Heard reports whether there was a heartbeat ever. Before, nobody knows
// whether the node sends any, and it is not suspected.
func (d *Detector) Heard() bool { return d.heard }

// Phi is how much the node is suspected at now, from 0 to Max:
//
//	φ(t) = -log10(P_later(t - t_last)),    P_later(t) = 1 - F(t)
//
// where F is the distribution function of the normal distribution with the
// mean and the standard deviation of the window (section 5 of the paper). A φ
// of 1 means that suspecting the node now is wrong once in 10 times, a φ of 2
// once in 100, and so on.
func (d *Detector) Phi(now time.Time) float64 {
	if !d.heard || d.paused {
		return 0
	}
	mean, deviation := d.Rhythm()
	return phi(max(now.Sub(d.last), 0).Seconds(), mean.Seconds(), deviation.Seconds())
}

// Suspected reports whether Phi has reached the threshold.
func (d *Detector) Suspected(now time.Time) bool { return d.Phi(now) >= d.c.Threshold }

// Rhythm returns the mean and the standard deviation that Phi reckons with.
func (d *Detector) Rhythm() (mean, deviation time.Duration) {
	if len(d.window) == 0 {
		return d.c.Expected, max(d.c.Expected/4, d.c.MinStdDev)
	}
	var sum, squares float64
	for _, sample := range d.window {
		sum += float64(sample)
	}
	average := sum / float64(len(d.window))
	for _, sample := range d.window {
		squares += (float64(sample) - average) * (float64(sample) - average)
	}
	return seconds(average), max(seconds(math.Sqrt(squares/float64(len(d.window)))), d.c.MinStdDev)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// phi is φ of a silence of t, in the unit of the mean μ and of the standard
// deviation σ. 1 - F(t) = erfc((t-μ) / (σ·√2)) / 2.
func phi(t, mean, deviation float64) float64 {
	var later float64
	switch {
	case deviation > 0:
		later = math.Erfc((t-mean)/(deviation*math.Sqrt2)) / 2
	case t < mean:
		later = 1
	}
	return min(math.Abs(math.Log10(max(later, math.SmallestNonzeroFloat64))), Max) // of at most 1, so that Abs only turns it
}
