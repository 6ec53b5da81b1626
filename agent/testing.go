package agent

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

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

// expect compares what a rule does with what is expected of it.
func (r *testRun) expect(e rules.Expect) {
	i := slices.IndexFunc(r.program.rules, func(c *compiled) bool { return c.Name == e.Rule })
	if i < 0 {
		r.fail(e.Line, "there is no rule %q", e.Rule)
		return
	}
	rule := r.program.rules[i]
	o, err := r.outcome(rule)
	if err != nil {
		r.fail(e.Line, "%v", err)
		return
	}
	for _, f := range e.Files {
		r.expectFile(rule, f, o)
	}
	nothing := len(e.Files) == 0 && e.Runs == nil
	if nothing && len(o.files) > 0 {
		r.fail(e.Line, "rule %s is expected to do nothing, and makes %s", rule.Name, paths(o.files))
	}
	if e.Runs != nil || nothing {
		r.expectRuns(rule, e, o)
	}
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
		r.result.LeftOut = append(r.result.LeftOut, fmt.Sprintf("rule %s: left out: %s", rule.Name, refusal))
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

// expectFile compares one file.
func (r *testRun) expectFile(rule *compiled, want rules.ExpectFile, o outcome) {
	i := slices.IndexFunc(o.files, func(f reconcile.File) bool { return f.Path == filepath.Clean(want.Path) })
	if i < 0 {
		r.fail(want.Line, "rule %s makes no file %s: %s", rule.Name, want.Path, o.instead(rule))
		return
	}
	file, text := o.files[i], string(o.files[i].Bytes)
	shown := false
	for _, part := range want.Contains {
		if strings.Contains(text, part) {
			continue
		}
		failure := r.fail(want.Line, "%s does not contain %q", file.Path, part)
		if !file.Sensitive && !shown {
			failure.Detail, shown = beginning(text), true
		}
	}
	for _, part := range want.Lacks {
		at := strings.Index(text, part)
		if at < 0 {
			continue
		}
		failure := r.fail(want.Line, "%s contains %q, in line %d", file.Path, part, 1+strings.Count(text[:at], "\n"))
		if !file.Sensitive {
			failure.Detail = lineAt(text, at)
		}
	}
	if want.Equals != nil {
		r.expectEqual(want, file)
	}
}

// expectEqual compares all of a file.
func (r *testRun) expectEqual(want rules.ExpectFile, file reconcile.File) {
	if want.Golden != "" {
		r.result.Goldens = append(r.result.Goldens, Golden{want.Golden, file.Bytes})
	}
	if *want.Equals == string(file.Bytes) {
		return
	}
	failure := r.fail(want.Line, "%s is not as expected (-want +got)", file.Path)
	failure.Golden = want.Golden
	if file.Sensitive {
		failure.Reason = fmt.Sprintf("%s is not as expected; it is sensitive, so that the difference is not shown", file.Path)
		return
	}
	failure.Detail = udiff.Unified("want", "got", *want.Equals, string(file.Bytes))
}

// expectRuns compares the commands.
func (r *testRun) expectRuns(rule *compiled, want rules.Expect, o outcome) {
	if slices.EqualFunc(want.Runs, o.runs, slices.Equal) {
		return
	}
	if len(o.runs) == 0 {
		r.fail(want.Line, "rule %s runs nothing: %s", rule.Name, cmp.Or(o.away, o.idle))
		return
	}
	r.fail(want.Line, "rule %s runs other commands than expected (-want +got)", rule.Name).Detail =
		udiff.Unified("want", "got", argvLines(want.Runs), argvLines(o.runs))
}

// instead says what there is in place of a file that a rule does not make.
func (o outcome) instead(rule *compiled) string {
	switch {
	case o.away != "":
		return o.away
	case rule.Acts():
		return "it acts on events, and keeps no files"
	case len(o.files) == 0:
		return "it makes none"
	}
	return "it makes " + paths(o.files)
}

// paths names files, the first few of them.
func paths(files []reconcile.File) string {
	const most = 8
	var names []string
	for _, f := range files[:min(len(files), most)] {
		names = append(names, f.Path)
	}
	if more := len(files) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// argvLines writes commands as they stand in a test, one a line.
func argvLines(argvs [][]string) string {
	var out strings.Builder
	for _, argv := range argvs {
		var words []string
		for _, w := range argv {
			words = append(words, strconv.Quote(w))
		}
		fmt.Fprintf(&out, "[%s]\n", strings.Join(words, ", "))
	}
	return out.String()
}

// beginning is the first lines of a text.
func beginning(text string) string {
	const most = 40
	lines := strings.SplitAfterN(text, "\n", most+1)
	if len(lines) > most && lines[most] != "" {
		lines[most] = "…\n"
	}
	return strings.Join(lines, "")
}

// lineAt is the line of text that byte i is in.
func lineAt(text string, i int) string {
	start := strings.LastIndexByte(text[:i], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	return line + "\n"
}
