package rules

import (
	"fmt"
	"time"

	"muster/cluster"
)

// Act is what a rule that acts says beside what triggers it. Its commands are
// the business of another package: here it is only read, checked, and
// evaluated for one occasion at a time.
type Act struct {
	For    time.Duration // the state must have lasted this long; 0: at once
	Nodes  string        // NodesAll or NodesOne
	Quorum int           // alive members at least; 0: any number
	Queue  int           // how many occasions may wait
	// Signature says that the rule acts only on user events that a trusted key
	// signed. Its `on` names no other events then.
	Signature bool
	Steps     []Step // in the order in which they stand

	when *expr // nil: always
}

// Which nodes act among those on which a rule is in force.
const (
	NodesAll = "all"
	NodesOne = "one"
)

const defaultQueue = 64

// A Step is one run, send or respond block: exactly one field is set.
type Step struct {
	Run     *Run
	Send    *Send
	Respond *Respond
}

// A Run is a command to run.
type Run struct {
	Command
	Stdin      string // StdinSerf, StdinPayload or StdinJSON
	Retries    int
	Idempotent bool // may be repeated after a crash in the middle of it
}

// What a command reads from its standard input.
const (
	StdinSerf    = "serf" // Serf's own lines
	StdinPayload = "payload"
	StdinJSON    = "json"
)

// A Send is a user event to send.
type Send struct{ event, payload *expr }

// A Respond is the answer to a query: what a command prints, or a text.
type Respond struct {
	Command *Command // nil: a text
	text    *expr
}

// An Occasion is one event for which a rule acts.
type Occasion struct {
	Inputs
	Event  cluster.Event   // its payload is what was signed, without the envelope
	Signer string          // whose signature of a user event was found good; empty: nobody's
	Member *cluster.Member // of a member event, the member it is about
	Run    *RunResult      // of the run before, if there was one
}

// A RunResult is what `run` stands for in the steps after it.
type RunResult struct {
	Stdout   string
	ExitCode int
}

func (o Occasion) scope() *scope {
	s := &scope{view: &o.View, chosen: o.Members, event: &o.Event, signer: o.Signer, member: o.Member, run: o.Run}
	if s.chosen == nil {
		s.chosen = []cluster.Member{}
	}
	return s
}

// Wanted evaluates the rule's `when`. A `when` that is null or cannot be
// evaluated is an error: the rule does not act.
func (r *Rule) Wanted(o Occasion) (bool, error) {
	if r.when == nil {
		return true, nil
	}
	v, err := r.when.eval(o.scope())
	if err == nil && v.IsNull() {
		err = fmt.Errorf("it is null")
	}
	if err != nil {
		return false, fmt.Errorf("cannot evaluate when of rule %q: %w", r.Name, err)
	}
	return v.True(), nil
}

// Argv evaluates the command for o.
func (c *Command) Argv(o Occasion) ([]string, error) {
	argv, err := c.args(o.scope())
	if err != nil {
		return nil, fmt.Errorf("cannot evaluate the command at %s: %w", placeOf(c.argv.at), err)
	}
	return argv, nil
}

// Options evaluates how to run the command for o.
func (c *Command) Options(o Occasion) (CommandOptions, error) {
	out := CommandOptions{Timeout: c.Timeout, User: c.User, Outside: c.Outside}
	if c.env == nil {
		return out, nil
	}
	env, err := c.env.strMap(o.scope())
	if err == nil {
		err = checkEnvValues(env)
	}
	if err != nil {
		return out, fmt.Errorf("cannot evaluate the environment at %s: %w", placeOf(c.env.at), err)
	}
	out.Env = env
	return out, nil
}

// Event evaluates the name and the payload of the event for o. payload is
// empty if the rule gives none.
func (s *Send) Event(o Occasion) (name string, payload []byte, err error) {
	in := o.scope()
	if name, err = s.event.str(in); err == nil {
		err = badEvent(name)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot evaluate the event at %s: %w", placeOf(s.event.at), err)
	}
	if s.payload == nil {
		return name, nil, nil
	}
	text, err := s.payload.str(in)
	if err != nil {
		return "", nil, fmt.Errorf("cannot evaluate the payload at %s: %w", placeOf(s.payload.at), err)
	}
	return name, []byte(text), nil
}

// Text evaluates the answer for o, of a Respond without a command.
func (r *Respond) Text(o Occasion) (string, error) {
	text, err := r.text.str(o.scope())
	if err != nil {
		return "", fmt.Errorf("cannot evaluate the text at %s: %w", placeOf(r.text.at), err)
	}
	return text, nil
}
