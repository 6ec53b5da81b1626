package agent

import (
	"context"
	"slices"
	"time"

	"muster/reconcile"
)

// Metrics is what an agent measures, at one moment.
type Metrics struct {
	Status
	Measured []RuleMetrics // of Status.Rules, in their order
}

// RuleMetrics counts what has happened to one rule since this agent knows it.
type RuleMetrics struct {
	reconcile.Counts
	Tally
}

// A Tally counts a rule's passes.
type Tally struct {
	Passes         uint64
	Renders        uint64
	RenderFailures uint64    // of Renders
	Held           uint64    // of Passes, how many a guard ended
	RenderTime     Histogram // of each render
	ConvergeTime   Histogram // of each pass that changed files or ran a command, from staging to the last one's end
	// InSync is when a pass last found the rule in sync, or left it so.
	InSync time.Time
}

// A Histogram counts durations by size.
type Histogram struct {
	Bounds []time.Duration // upper ends of the buckets, ascending; shared, not to be changed
	Counts []uint64        // of each bucket alone; one more than Bounds, for what is beyond them
	Count  uint64          // of all
	Sum    time.Duration   // of all
}

// Where the buckets end: from a fast machine's milliseconds to what a Pi needs
// for ten thousand members, and from a file without a command to a reload that
// takes a nap. Few, as each rule has them all.
var (
	renderBounds   = []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}
	convergeBounds = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second}
)

// observe counts d.
func (h *Histogram) observe(d time.Duration, bounds []time.Duration) {
	if h.Counts == nil {
		h.Bounds, h.Counts = bounds, make([]uint64, len(bounds)+1)
	}
	i, _ := slices.BinarySearch(h.Bounds, d)
	h.Counts[i]++
	h.Count++
	h.Sum += d
}

// clone is a copy that later observations do not change, with all its buckets
// also before the first one.
func (h *Histogram) clone(bounds []time.Duration) Histogram {
	c := Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1), Count: h.Count, Sum: h.Sum}
	copy(c.Counts, h.Counts)
	return c
}

// clone is a copy that later passes do not change.
func (t *Tally) clone() Tally {
	c := *t
	c.RenderTime, c.ConvergeTime = t.RenderTime.clone(renderBounds), t.ConvergeTime.clone(convergeBounds)
	return c
}

// count takes in what a job did.
func (t *Tally) count(j *job, now time.Time) {
	t.Passes++
	t.Renders++
	t.RenderTime.observe(j.report.Render, renderBounds)
	if j.rendered == nil {
		t.RenderFailures++
		return
	}
	if j.outcome.Took > 0 || len(j.outcome.Changed) > 0 { // no time passes in tests
		t.ConvergeTime.observe(j.outcome.Took, convergeBounds)
	}
	switch j.outcome.State {
	case reconcile.Held:
		t.Held++
	case reconcile.InSync:
		t.InSync = now
	}
}

// Metrics returns the measurements.
func (a *Agent) Metrics(ctx context.Context) (Metrics, error) {
	var m Metrics
	tallies := map[string]Tally{}
	err := a.ask(ctx, func(l *loop) {
		l.tell(&m.Status)
		for _, s := range l.states {
			tallies[s.rule.Name] = s.tally.clone()
		}
	})
	counts := map[string]reconcile.Counts{}
	for _, s := range a.reconciler.Status() {
		counts[s.Rule] = s.Counts
	}
	for _, r := range m.Rules {
		tally, ok := tallies[r.Rule]
		if !ok { // the rule is gone, its files are not
			tally = new(Tally).clone()
		}
		m.Measured = append(m.Measured, RuleMetrics{counts[r.Rule], tally})
	}
	return m, err
}
