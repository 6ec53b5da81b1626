package templates

import (
	"text/template"
	"text/template/parse"

	"muster/cluster"
)

// Most of what templates print for a member is text and the member's fields.
// In ranges whose output is kept, such stretches are not left to
// text/template, which takes most of its time for reflection, but printed
// from here.

// A segment is such a stretch.
type segment []piece

// A piece is literal text, a hole, or a branch.
type piece struct {
	text   []byte
	hole   int // when there is neither text nor a branch
	branch *branch
}

// A branch is an if or a with.
type branch struct {
	cond    expression
	pos     parse.Pos
	expr    string
	with    bool
	yes, no segment
}

// An expression computes a value that depends on nothing but a member, .Vars
// and .Rule, and in a with on its dot, r.dot.
type expression func(r *run, m *cluster.Member) any

// A getter is an expression that is to be printed.
type getter func(r *run, m *cluster.Member) value

// native prints a segment for the member that is being rendered.
func (r *run) native(s segment) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cause, ok := p.(error)
			if !ok {
				panic(p)
			}
			at := r.at
			at.cause = cause
			err = &at
		}
	}()
	r.dot = nil
	return r.stretch(s)
}

// stretch prints s, and notes in r.at where it is.
func (r *run) stretch(s segment) error {
	for i := range s {
		switch p := &s[i]; {
		case p.text != nil:
			r.out = append(r.out, p.text...)
		case p.branch != nil:
			if err := r.choose(p.branch); err != nil {
				return err
			}
		default:
			h := &r.t.holes[p.hole]
			r.at.pos, r.at.expr = h.pos, h.expr
			r.value = h.get(r, r.current)
			if err := r.print(p.hole, r.current, &r.value); err != nil {
				return err
			}
		}
	}
	return r.bounded()
}

func (r *run) choose(b *branch) error {
	r.at.pos, r.at.expr = b.pos, b.expr
	v := b.cond(r, r.current)
	if truth, _ := template.IsTrue(v); !truth {
		return r.stretch(b.no)
	}
	if b.with {
		outer := r.dot
		defer func() { r.dot = outer }()
		r.dot = v
	}
	return r.stretch(b.yes)
}

// placed is the error of a function that was called from a segment.
type placed struct {
	pos   parse.Pos
	expr  string
	cause error
}

func (e *placed) Error() string { return e.cause.Error() + " in " + e.expr }
func (e *placed) Unwrap() error { return e.cause }
