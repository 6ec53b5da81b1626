package templates

import (
	"errors"
	"maps"
	"slices"

	"muster/cluster"
)

// accuse finds out which members made r fail in a way that the template does
// not tell: it executes the template for each of them alone and looks whether
// the same goes wrong. It notes those as refused, or returns the error.
func (t *Template) accuse(r *run, failure error) error {
	fail := t.failure(r, failure)
	if final(failure) {
		return fail
	}
	steps := maxSteps
	alone := func(m *cluster.Member) (*run, *Error) {
		one := *r
		one.trial, one.only, one.memory = true, m, nil
		trial := one.next()
		trial.steps = steps
		err := trial.execute()
		steps = trial.steps
		if err == nil {
			return trial, nil
		}
		return trial, t.executionError(err)
	}
	// What goes wrong without any member is no member's fault. (One whose name is
	// empty is a member.)
	trial, err := alone(nil)
	if failure != nil && err != nil && err.samePlace(fail) {
		return fail
	}
	maps.DeleteFunc(r.unclear, func(id int, _ suspicion) bool { _, too := trial.unclear[id]; return too })
	if failure == nil && len(r.unclear) == 0 {
		return fail
	}
	everybody, accused := r.everybody(), 0
	for i := range everybody {
		m := &everybody[i]
		trial, err := alone(m)
		if steps < 0 {
			return fail
		}
		if why, guilty := r.guilty(trial, failure != nil, err, fail); guilty {
			why.Member = m.Name
			note(r.refused, why)
			accused++
		}
	}
	if accused == 0 && failure == nil {
		accused = r.recognise()
	}
	if accused == 0 || failure != nil && accused == len(everybody) {
		return fail
	}
	return nil
}

// A suspicion is a refusal that no member can be blamed for yet.
type suspicion struct {
	Refusal
	value value
}

// recognise notes as refused the members whose name or tags stand in what was
// refused, and are refused there by themselves. It returns how many.
func (r *run) recognise() (n int) {
	for _, id := range slices.Sorted(maps.Keys(r.unclear)) {
		s := r.unclear[id]
		bad := r.putInto(&r.t.holes[id], &s.value)
		for _, m := range r.everybody() {
			if r.anyOf(&m, bad) {
				s.Refusal.Member = m.Name
				note(r.refused, s.Refusal)
				n++
			}
		}
	}
	return n
}

// final reports whether an execution's error ends it, whoever's fault it is.
func final(err error) bool {
	var e errFail
	return isError(err) != nil || errors.As(err, &e) || errors.Is(err, errSteps) || errors.Is(err, errOutput)
}

// guilty reports whether what went wrong in r goes wrong in trial.
func (r *run) guilty(trial *run, failed bool, err, fail *Error) (Refusal, bool) {
	if failed {
		if err == nil || !err.samePlace(fail) {
			return Refusal{}, false
		}
		return Refusal{Line: err.Line, Column: err.Column, Reason: err.Message}, true
	}
	for _, id := range slices.Sorted(maps.Keys(r.unclear)) {
		if why, ok := trial.unclear[id]; ok {
			return why.Refusal, true
		}
	}
	return Refusal{}, false
}

func (e *Error) samePlace(o *Error) bool { return e.Line == o.Line && e.Column == o.Column }

// failure returns what went wrong in r as an Error.
func (t *Template) failure(r *run, err error) *Error {
	if err != nil {
		return t.executionError(err)
	}
	id := slices.Min(slices.Collect(maps.Keys(r.unclear)))
	s := r.unclear[id]
	return r.cannotPrint(&t.holes[id], &s.value, s.Reason)
}

// everybody returns the members that r's lists hold, sorted by name.
func (r *run) everybody() []cluster.Member {
	all := slices.Concat(r.members, r.all)
	for _, ms := range r.filters {
		all = append(all, ms...)
	}
	if ms, ok := r.withoutIn(r.data.EachValue).([]cluster.Member); ok {
		all = append(all, ms...)
	}
	cluster.SortMembers(all)
	return slices.CompactFunc(all, func(a, b cluster.Member) bool { return a.Name == b.Name })
}
