package templates

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/cluster"
)

const (
	// maxSteps bounds an execution: iterations, calls of templates, and the
	// work of functions that make or read much.
	maxSteps = 2_000_000
	// maxPasses bounds how often a template is executed because members had
	// to be left out. Each pass leaves out all that the one before refused.
	maxPasses = 8
)

var (
	errSteps  = errors.New("the template does too much: it goes through more than 2,000,000 steps")
	errOutput = errors.New("the output is too large")
)

// A run is one pass of an execution.
type run struct {
	t        *Template
	data     *Data
	vars     map[string]any
	excluded map[string]bool // by name
	trial    bool            // it is tried with only, or with nobody
	only     *cluster.Member
	found    map[string][]cluster.Member // of Select, by filter
	offered  map[string][]Offer          // of Services, by type
	memory   *memory                     // nil: nothing is kept

	memberVars bool // there are members in .Vars

	members, all []cluster.Member
	filters      map[string][]cluster.Member // found, without the excluded
	out          []byte
	steps        int
	reads        Reads
	refused      map[string]Refusal // by member
	unclear      map[int]suspicion  // by hole: those that no member can be blamed for yet
	blocks       []blockRun
	block        *blockRun       // in progress
	current      *cluster.Member // for whom a segment is printed
	index        int             // its index, in a loop that is native
	dot          any             // of a with in a segment
	at           placed          // where a segment has come to
	value        value           // the one that is being printed
}

// Execute renders t. A member whose value is refused is left out of every
// list and reported in the Result. The error is an *Error: a value that is
// refused and no member's, a function that failed, a bound exceeded.
func (t *Template) Execute(d Data) (Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.run = nil }()

	d.Members, d.AllMembers = byName(d.Members), byName(d.AllMembers)
	refused := map[string]Refusal{}
	first := run{t: t, data: &d, vars: d.Vars, excluded: map[string]bool{}, found: map[string][]cluster.Member{}, offered: map[string][]Offer{}}
	if first.memberVars = hasMembers(d.Vars); !first.memberVars {
		first.memory = t.remember(&d)
	}
	reads := Reads{}
	for range maxPasses {
		r := first.next()
		err := r.execute()
		if err != nil || len(r.unclear) > 0 {
			if err := t.accuse(r, err); err != nil {
				return Result{}, err
			}
		}
		reads = reads.and(r.reads)
		if len(r.refused) == 0 {
			r.keep()
			reads.Filters, reads.Services = slices.Sorted(maps.Keys(first.found)), slices.Sorted(maps.Keys(first.offered))
			return Result{Bytes: r.out, Refused: sorted(refused), Reads: reads}, nil
		}
		if len(first.excluded) == 0 && err == nil {
			r.keep()
		}
		for name, why := range r.refused {
			refused[name] = why
			first.excluded[name] = true
		}
	}
	return Result{}, t.errorf(0, "", "leaving out what is refused does not come to an end: %d members so far", len(refused))
}

// next returns a fresh pass like r.
func (r run) next() *run {
	r.refused, r.unclear, r.block, r.out = map[string]Refusal{}, map[int]suspicion{}, nil, nil
	r.filters = map[string][]cluster.Member{}
	r.steps = maxSteps
	r.members, r.all = r.without(r.data.Members), r.without(r.data.AllMembers)
	if r.memberVars || r.t.mutates {
		r.vars, _ = r.withoutIn(r.data.Vars).(map[string]any)
	}
	r.blocks = make([]blockRun, len(r.t.blocks))
	if r.memory != nil {
		r.out = make([]byte, 0, r.memory.size+r.memory.size/8+512)
	}
	return &r
}

func (r *run) execute() error {
	r.t.run = r
	return r.t.tmpl.Execute(r, &root{r})
}

// Write takes the template's literal text.
func (r *run) Write(p []byte) (int, error) {
	r.out = append(r.out, p...)
	return len(p), r.bounded()
}

// bounded says whether the output has become too large.
func (r *run) bounded() error {
	n := len(r.out)
	if r.block != nil {
		n += r.block.before
	}
	if n > r.t.maxOutput {
		return errOutput
	}
	return nil
}

func (r Reads) and(o Reads) Reads {
	return Reads{Members: r.Members || o.Members, AllMembers: r.AllMembers || o.AllMembers, Self: r.Self || o.Self}
}

func sorted(refused map[string]Refusal) []Refusal {
	return slices.SortedFunc(maps.Values(refused), func(a, b Refusal) int { return cmp.Compare(a.Member, b.Member) })
}

func (t *Template) errorf(pos int, hint, format string, args ...any) *Error {
	return errorAt(t.name, t.text, pos, hint, format, args...)
}

var executionPlace = regexp.MustCompile(`^template: [^:]*:(\d+):(\d+): executing (?s:.*?) at <((?s:.*?))>: (?s:(.*))$`)

// executionError turns an error of text/template's execution into an Error.
func (t *Template) executionError(err error) *Error {
	if e := isError(err); e != nil {
		return e
	}
	e := &Error{Name: t.name, Line: 1, Column: 1, Message: err.Error()}
	switch {
	case errors.Is(err, errOutput):
		e.Message = fmt.Sprintf("the output is larger than %d bytes", t.maxOutput)
		return e
	case errors.Is(err, errSteps):
		e.Message = errSteps.Error()
		return e
	}
	if at := (&placed{}); errors.As(err, &at) {
		return t.errorf(int(at.pos), "", "%s", bounded(at.Error()))
	}
	if m := executionPlace.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Column, _ = strconv.Atoi(m[2])
		e.Column++
		e.Message = bounded(strings.TrimPrefix(m[4], "error calling ") + " in " + m[3])
	}
	return e
}

// bounded returns s as one printable line of bounded length.
func bounded(s string) string {
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	if len(q) > 300 {
		q = strings.ToValidUTF8(q[:300], "") + "…"
	}
	return q
}
