package agent

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"muster/reconcile"
	"muster/rules"
)

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
