package agent

import (
	"fmt"
	"slices"

	"muster/cluster"
	"muster/reconcile"
	"muster/rules"
)

// A TestResult is how one test of a rule set went.
type TestResult struct {
	Failures []TestFailure // none: it passed
	Goldens  []Golden      // of every `equals` that names a file, met or not
	LeftOut  []string      // what the rules refused of the members, a line each
}

// A TestFailure is an expectation that was not met.
type TestFailure struct {
	File   string // where it stands, as in a Problem
	Line   int
	Reason string // one line; it may quote what members said
	Detail string // what belongs to it in lines of its own, as a unified diff; may be empty
	Golden string // the file that the expectation is kept in: with the new text it would be met
}

// A Golden is a file that a test keeps a text in.
type Golden struct {
	Path string // absolute
	Got  []byte // what a rule makes now
}

// RunTest sees whether the rules do what a test of their set expects. Nothing
// is written and nothing is run. docs/language.md says what a test takes for
// granted.
func (p *Program) RunTest(t *rules.Test) TestResult {
	r := &testRun{program: p, test: t}
	var err error
	if r.view, err = OfflineView(t.Self, t.Members); err != nil {
		r.fail(t.Line, "%v", err)
		return r.result
	}
	for _, e := range t.Expects {
		r.expect(e)
	}
	return r.result
}

// A testRun is a test under way.
type testRun struct {
	program *Program
	test    *rules.Test
	view    cluster.View
	result  TestResult
}

// An outcome is what one rule does in a test.
type outcome struct {
	files []reconcile.File
	runs  [][]string
	away  string // why it is not in force; empty if it is
	idle  string // why it runs nothing, if it runs nothing
}

// fail notes that an expectation was not met, and returns the failure for what
// else there is to say.
func (r *testRun) fail(line int, format string, args ...any) *TestFailure {
	r.result.Failures = append(r.result.Failures, TestFailure{File: r.test.File, Line: line, Reason: fmt.Sprintf(format, args...)})
	return &r.result.Failures[len(r.result.Failures)-1]
}

// outcome works out what a rule does.
func (r *testRun) outcome(rule *compiled) (o outcome, err error) {
	self := r.view.SelfMember()
	if !rule.InForce(self) {
		o.away = fmt.Sprintf("it is not in force on %s", self.Name)
		for _, c := range rule.SelfVerdict(self) {
			if !c.OK {
				o.away += fmt.Sprintf(": not %s, but %s", c.Text, c.Got)
			}
		}
		return o, nil
	}
	selection := rule.NewSelection()
	selection.Update(r.view.At, r.view, nil)
	if rule.Acts() {
		o.runs, o.idle, err = r.runs(rule, selection.Members())
		return o, err
	}
	rendered, err := rule.render(r.view, selection.Members())
	if err != nil {
		return o, err
	}
	for _, refusal := range rendered.refused {
		text := fmt.Sprintf("rule %s: left out: %s", rule.Name, refusal)
		if !slices.Contains(r.result.LeftOut, text) { // another expect may be about the same rule
			r.result.LeftOut = append(r.result.LeftOut, text)
		}
	}
	o.files, o.idle = rendered.unit.Files, "it renders files, and acts on no event"
	return o, nil
}

// runs lists the commands that a rule in force would run for the test's event,
// or says why it does not act.
func (r *testRun) runs(rule *compiled, members []cluster.Member) (runs [][]string, idle string, err error) {
	e := r.test.Event
	if e == nil {
		return nil, "the test has no event", nil
	}
	o := rules.Occasion{Inputs: rules.Inputs{View: r.view, Members: members}, Event: *e}
	if len(e.Members) > 0 {
		o.Member = &e.Members[0]
	}
	if rule.Signature {
		o.Signer = r.test.Signer
	}
	if idle = r.idle(rule, o); idle != "" {
		return nil, idle, nil
	}
	for _, step := range rule.Steps {
		var command *rules.Command
		switch {
		case step.Run != nil:
			command = &step.Run.Command
		case step.Respond != nil:
			command = step.Respond.Command
		}
		if command == nil {
			continue
		}
		argv, err := command.Argv(o)
		if err == nil {
			_, err = command.Options(o)
		}
		if err != nil {
			return nil, "", fmt.Errorf("rule %s: %w", rule.Name, err)
		}
		runs = append(runs, argv)
		o.Run = &rules.RunResult{} // it is taken to succeed, and to print nothing
	}
	return runs, "it runs no command", nil
}

// idle says why a rule in force does not act on the event; empty if it does.
// That this node is the one of `nodes = "one"`, and that a state lasted as
// long as `for` says, is taken for granted.
func (r *testRun) idle(rule *compiled, o rules.Occasion) string {
	up := len(alive(r.view.Members))
	switch {
	case !rule.Triggered(o.Event):
		return "its `on` does not name this event"
	case o.Member != nil && !rule.Matches(*o.Member, r.view):
		return fmt.Sprintf("its `members` do not include %s", o.Member.Name)
	case rule.Signature && o.Signer == "":
		return "it acts on signed events only: give the event a `signer`"
	case up < rule.Quorum:
		return fmt.Sprintf("its quorum is %d, and only %d are alive", rule.Quorum, up)
	}
	want, err := rule.Wanted(o)
	switch {
	case err != nil:
		return err.Error()
	case !want:
		return "its `when` is false"
	}
	return ""
}
