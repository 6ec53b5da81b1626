package agent

import (
	"context"
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
	view     cluster.View
	members  []cluster.Member
	inForce  bool
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
		p.jobs = append(p.jobs, &job{
			state: s, view: l.view, members: s.selection.Members(), inForce: s.inForce, force: s.force,
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
		rendered, err := j.render()
		j.report.Render = time.Since(begin)
		if err != nil {
			j.report.Error = err.Error()
			continue
		}
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

// render renders the job's rule, or nothing when it is not in force here.
func (j *job) render() (*rendering, error) {
	if !j.inForce {
		return &rendering{unit: reconcile.Unit{Rule: j.state.rule.Name, OnOrphan: j.state.rule.OnOrphan}}, nil
	}
	rendered, err := j.state.rule.render(j.view, j.members)
	if err != nil {
		return nil, err
	}
	rendered.unit.Override = j.force
	return rendered, nil
}

// finish gives the rule's state what the pass found, and marks the rule again
// if something it turned out to depend on changed meanwhile.
func (j *job) finish(self string, now time.Time) {
	s := j.state
	s.running = false
	s.report = &j.report
	s.finished++
	s.reads = nil
	if j.rendered != nil {
		s.reads = &j.rendered.reads
		s.paths = j.rendered.paths()
		s.held = j.outcome.State == reconcile.Held
		s.retry = j.outcome.Retry
		if !s.waiting.pending() && s.inForce && s.reads.affected(s.missed, self) {
			s.mark(triggerOf(s.missed), now)
		}
	}
	s.missed = nil
}
