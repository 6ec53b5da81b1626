package templates

import (
	"errors"
	"fmt"
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
		one.only, one.memory = m, nil
		trial := one.next()
		trial.steps = steps
		err := trial.execute()
		steps = trial.steps
		if err == nil {
			return trial, nil
		}
		return trial, t.executionError(err)
	}
	// What goes wrong without any member is no member's fault.
	trial, err := alone(&cluster.Member{})
	if failure != nil && err != nil && err.samePlace(fail) {
		return fail
	}
	maps.DeleteFunc(r.unclear, func(id int, _ Refusal) bool { _, too := trial.unclear[id]; return too })
	if failure == nil && len(r.unclear) == 0 {
		return fail
	}
	tried, accused := 0, 0
	for m := range r.everybody() {
		tried++
		trial, err := alone(m)
		if steps < 0 {
			return fail
		}
		if why, guilty := r.guilty(trial, failure != nil, err, fail); guilty {
			why.Member = m.Name
			r.refused[m.Name] = why
			accused++
		}
	}
	if accused == 0 || failure != nil && accused == tried {
		return fail
	}
	return nil
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
			return why, true
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
	u := r.unclear[slices.Min(slices.Collect(maps.Keys(r.unclear)))]
	return &Error{Name: t.name, Line: u.Line, Column: u.Column, Hint: rawHint,
		Message: fmt.Sprintf("cannot print %s: %s: %s", u.Expr, u.Value, u.Reason)}
}

// everybody goes through the members that r's lists hold, each once.
func (r *run) everybody() func(func(*cluster.Member) bool) {
	return func(yield func(*cluster.Member) bool) {
		a, b := r.members, r.all
		for len(a) > 0 || len(b) > 0 {
			var m *cluster.Member
			switch {
			case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
				m, a = &a[0], a[1:]
			case len(a) > 0 && a[0].Name == b[0].Name:
				m, a, b = &a[0], a[1:], b[1:]
			default:
				m, b = &b[0], b[1:]
			}
			if !yield(m) {
				return
			}
		}
	}
}
