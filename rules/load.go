package rules

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Load reads every *.hcl and *.hcl.json in dir, in name order, as one rule
// set; names that begin with a dot are passed over. It reports every mistake
// in every file. set is nil if one of them is an error.
//
// watch lists, sorted and absolute, every file and directory whose change
// means that it is worth loading again. It is complete whether or not there
// are errors, so that a correction is noticed wherever it is made.
func Load(dir string, known Known) (set *Set, watch []string, problems Problems) {
	l := newLoader(dir, known, ReadFile)
	for _, name := range l.list() {
		path := filepath.Join(dir, name)
		l.watch[l.abs(path)] = true
		if slices.Contains(known.Skip, path) {
			l.broken = true
			continue
		}
		src, err := l.read(l.abs(path), maxRuleFile)
		if err != nil {
			l.broken = true
			l.report(Problem{Severity: Error, File: path, Summary: err.Error(), Detail: "A rule file is a regular file of at most 64 KiB."}, hcl.Range{})
			continue
		}
		l.parse(path, src)
	}
	return l.finish()
}

// A loader collects what one Load finds.
type loader struct {
	dir       string
	known     Known
	read      func(path string, limit int64) ([]byte, error)
	functions map[string]function.Function
	files     []*file
	sources   map[string][]byte // by name, for snippets
	contents  map[string]string // what file() read, by absolute path
	watch     map[string]bool
	problems  Problems
	broken    bool // a file could not be parsed, or is left out: what seems missing may stand there
	locals    map[string]cty.Value
}

// A file is one file of rules or tests.
type file struct {
	name    string // as in messages
	dir     string // absolute
	test    bool
	skip    bool // it uses a file of Known.Skip
	body    hcl.Body
	context *hcl.EvalContext // the functions, with file() relative to this one
}

func newLoader(dir string, known Known, read func(string, int64) ([]byte, error)) *loader {
	l := &loader{dir: dir, known: known, read: read, functions: functions(), locals: map[string]cty.Value{},
		sources: map[string][]byte{}, contents: map[string]string{}, watch: map[string]bool{}}
	l.watch[l.abs(dir)] = true
	return l
}

// abs makes path absolute; as it is if the working directory is gone.
func (l *loader) abs(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// list returns the names of the rule and test files in the directory.
func (l *loader) list() []string {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		detail := "Create it, or name another with --rules. `muster init` writes rules to start from there."
		if errors.Is(err, syscall.ENOTDIR) {
			detail = "The files of a directory are one rule set: name the directory that the file is in."
		}
		l.report(Problem{Severity: Error, File: l.dir, Summary: fmt.Sprintf("cannot read the rules directory: %v", cause(err)), Detail: detail}, hcl.Range{})
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")) {
			names = append(names, name)
		}
	}
	if len(names) > maxFiles {
		l.report(Problem{Severity: Error, File: l.dir, Summary: fmt.Sprintf("%d rule files, more than %d", len(names), maxFiles)}, hcl.Range{})
		return nil
	}
	return names
}

// parse adds one file.
func (l *loader) parse(name string, src []byte) {
	l.sources[name] = src
	parsed, diags := parseHCL(src, name)
	if diags.HasErrors() {
		l.broken = true
		l.diagnose(diags, "")
		return
	}
	f := &file{name: name, dir: filepath.Dir(l.abs(name)), body: parsed.Body, test: strings.HasSuffix(strings.TrimSuffix(name, ".json"), ".test.hcl")}
	f.context = &hcl.EvalContext{Functions: maps.Clone(l.functions)}
	f.context.Functions["file"] = fileFunc(f, l.contents)
	l.files = append(l.files, f)
}

// ParseHCL parses one file, in JSON if its name ends in .json, after making
// sure that it is not nested deeper than the parser can bear.
func ParseHCL(src []byte, filename string) (*hcl.File, Problems) {
	f, diags := parseHCL(src, filename)
	return f, Diagnose(diags, map[string][]byte{filename: src})
}

func parseHCL(src []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if strings.HasSuffix(name, ".json") {
		if d := checkJSON(src, name); d != nil {
			return nil, hcl.Diagnostics{d}
		}
		return json.Parse(src, name)
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	if d := checkTokens(tokens); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	return f, firstStray(diags)
}

// firstStray drops what follows from a string whose quote is missing: HCL
// reports each line after it.
func firstStray(diags hcl.Diagnostics) hcl.Diagnostics {
	const stray = "Invalid multi-line string"
	i := slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary == stray })
	if i < 0 {
		return diags
	}
	return append(diags[:i+1:i+1], slices.DeleteFunc(diags[i+1:], func(d *hcl.Diagnostic) bool {
		return d.Summary == stray || d.Summary == "Unterminated template string"
	})...)
}

// finish decodes the files that were parsed.
func (l *loader) finish() (*Set, []string, Problems) {
	set := &Set{Dir: l.dir}
	roots := l.roots()
	for _, b := range roots {
		for _, c := range b.children("rule") {
			set.Rules = append(set.Rules, b.readRule(c))
		}
	}
	set.Rules = slices.DeleteFunc(set.Rules, func(r *Rule) bool { return r.in.skip })
	if len(set.Rules) > maxRules {
		l.report(Problem{Severity: Error, File: l.dir, Summary: fmt.Sprintf("%d rules, more than %d", len(set.Rules), maxRules)}, hcl.Range{})
	}
	for _, b := range roots {
		for _, c := range b.children("test") {
			set.Tests = append(set.Tests, b.readTest(c))
		}
	}
	l.crossCheck(set)
	watch := slices.Sorted(maps.Keys(l.watch))
	problems := l.problems.sorted()
	if problems.HasErrors() {
		return nil, watch, problems
	}
	return set, watch, problems
}

// diagnose reports HCL's own findings.
func (l *loader) diagnose(diags hcl.Diagnostics, rule string) {
	for _, p := range Diagnose(diags, l.sources) {
		p.Rule = rule
		l.problems = append(l.problems, p)
	}
}

// report adds p, which stands at r.
func (l *loader) report(p Problem, r hcl.Range) {
	if r.Filename != "" {
		p.File, p.Line, p.Column = r.Filename, r.Start.Line, r.Start.Column
		p.Snippet = snippet(l.sources[r.Filename], r)
	}
	l.problems = append(l.problems, p)
}

// sourceText returns what stands at r, in one line of at most 120 characters.
func (l *loader) sourceText(r hcl.Range) string {
	src := l.sources[r.Filename]
	if r.Start.Byte < 0 || r.End.Byte > len(src) || r.Start.Byte > r.End.Byte {
		return ""
	}
	text := []rune(strings.Join(strings.Fields(string(src[r.Start.Byte:r.End.Byte])), " "))
	if len(text) > 120 {
		text = append(text[:119:119], '…')
	}
	return string(text)
}
