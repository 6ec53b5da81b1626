package agent

import (
	"context"
	"slices"
	"time"

	"muster/cluster"
	"muster/reconcile"
)

// A pass brings the due rules of one lane in step. It works on what the loop
// gave it and touches no state until the loop takes it back.
type pass struct {
	lane *lane
	jobs []*job
}

// A job is one rule's part in a pass.
type job struct {
	state    *state
	number   uint64 // of the rule's passes
	view     cluster.View
	subject  subject
	again    bool // somebody asked
	force    bool
	report   Report
	rendered *rendering // nil when it could not be rendered
	outcome  reconcile.Outcome
}

func newPass(l *loop, lane *lane, due []*state, now time.Time) *pass {
	p := &pass{lane: lane}
	for _, s := range due {
		trigger := s.trigger
		if !s.waiting.pending() {
			trigger = "retry"
		}
		s.begun++
		p.jobs = append(p.jobs, &job{
			state: s, number: s.begun, view: l.view, subject: s.subject(), again: trigger == applyTrigger, force: s.force,
			report: Report{Trigger: trigger, At: now},
		})
		s.waiting.clear()
		s.trigger, s.force, s.retry, s.running = "", false, time.Time{}, true
	}
	return p
}

// run renders every rule of the pass and converges those that rendered.
func (p *pass) run(ctx context.Context, r *reconcile.Reconciler) {
	var units []reconcile.Unit
	var converging []*job
	for _, j := range p.jobs {
		begin := time.Now()
		rendered, err := j.subject.render(j.view)
		j.report.Render = time.Since(begin)
		if err != nil {
			j.report.Error = err.Error()
			continue
		}
		rendered.unit.Again, rendered.unit.Override = j.again, j.force
		j.rendered = rendered
		j.report.Refused = rendered.refused
		units = append(units, rendered.unit)
		converging = append(converging, j)
	}
	for i, outcome := range r.Converge(ctx, units) {
		converging[i].outcome = outcome
	}
	for _, j := range p.jobs {
		j.report.Took = time.Since(j.report.At)
	}
}

// finish gives the rule's state what the pass found, and marks the rule again
// if something it turned out to depend on changed meanwhile.
func (j *job) finish(self string, now time.Time) {
	s := j.state
	s.running = false
	s.tally.count(j, now)
	s.take(j)
	s.reads = nil
	if j.rendered != nil {
		s.reads, s.static = &j.rendered.reads, j.rendered.unit.Static
		s.held = j.outcome.State == reconcile.Held
		s.fighting = j.outcome.State == reconcile.Drifted
		s.failing = ""
		if j.outcome.Err != nil {
			s.failing = j.outcome.Err.Error()
		}
		s.retry = j.outcome.Retry
		if !s.waiting.pending() && s.inForce && s.reads.affected(s.missed, self) {
			s.mark(triggerOf(s.missed), now)
		}
	}
	s.missed = nil
}

// take keeps the job's report unless it has nothing new to tell.
func (s *state) take(j *job) {
	r := j.report
	r.Looked = r.At
	if old := s.report; old != nil && j.idle() && old.Error == "" && slices.Equal(old.Refused, r.Refused) {
		seen := *old
		seen.Looked = r.At
		r = seen
	}
	s.report = &r
}

// idle reports whether the job changed nothing, and found what the one before
// had found: everything in place, or held or failing for the same reason.
func (j *job) idle() bool {
	o := j.outcome
	switch {
	case j.report.Error != "":
		return false
	case o.Err != nil:
		return o.Err.Error() == j.state.failing
	case o.State == reconcile.Held:
		return j.state.held
	case o.State == reconcile.Drifted:
		return j.state.fighting
	default:
		return o.State == reconcile.InSync && len(o.Changed) == 0 && !o.Reloaded && len(o.Told) == 0
	}
}
