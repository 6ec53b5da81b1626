package rules

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// The severities of a Problem.
const (
	Error   = "error"
	Warning = "warning"
)

// A Problem is one mistake in a file, with its place and what to do about it.
type Problem struct {
	Severity string `json:"severity"`         // Error or Warning
	File     string `json:"file,omitempty"`   // empty: no file to blame
	Line     int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column   int    `json:"column,omitempty"` // from 1; 0: the line as a whole
	Rule     string `json:"rule,omitempty"`   // the rule it stands in, or would
	Summary  string `json:"summary"`          // what is wrong
	Detail   string `json:"detail,omitempty"` // what to do
	// Snippet is the source line and, below it, a marker under the mistake.
	Snippet string `json:"snippet,omitempty"`
}

// Problems are all mistakes found, by file and place.
type Problems []Problem

// HasErrors reports whether one of ps is more than a warning.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Files lists the files that have errors, sorted.
func (ps Problems) Files() []string {
	var files []string
	for _, p := range ps {
		if p.Severity == Error && p.File != "" {
			files = append(files, p.File)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Error returns the problem in one line: FILE:LINE:COLUMN: SUMMARY.
func (p Problem) Error() string {
	if at := p.where(); at != "" {
		return at + ": " + p.Summary
	}
	return p.Summary
}

func (p Problem) where() string {
	switch {
	case p.File == "" || p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Print writes ps for a human, each with its source line and marker; in
// colour if asked to.
func (ps Problems) Print(w io.Writer, color bool) error {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		p.print(&b, color)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p Problem) print(b *strings.Builder, color bool) {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	hue := "1;31"
	if p.Severity == Warning {
		hue = "1;33"
	}
	fmt.Fprintf(b, "%s %s\n", paint(hue, p.Severity+":"), paint("1", p.Summary))
	if at := p.where(); at != "" {
		if p.Rule != "" {
			at += fmt.Sprintf(", rule %q", p.Rule)
		}
		fmt.Fprintf(b, "  %s\n", paint("2", at))
	}
	if line, marker, ok := strings.Cut(p.Snippet, "\n"); ok {
		number := fmt.Sprint(p.Line)
		fmt.Fprintf(b, "  %s │ %s\n", number, line)
		fmt.Fprintf(b, "  %s │ %s\n", strings.Repeat(" ", len(number)), paint(hue, marker))
	}
	for line := range strings.SplitSeq(p.Detail, "\n") {
		if line != "" {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
}

// sorted returns ps by file and place, each once.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}

// place is where something stands.
type place struct {
	file         string
	line, column int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

func placeOf(r hcl.Range) place { return place{r.Filename, r.Start.Line, r.Start.Column} }

// Diagnose turns HCL's diagnostics into problems. sources holds the files by
// name, for the snippets.
func Diagnose(diags hcl.Diagnostics, sources map[string][]byte) Problems {
	var ps Problems
	for _, d := range diags {
		p := Problem{Severity: Error, Summary: plainSummary(d), Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			p.Severity = Warning
		}
		if d.Subject != nil {
			at := placeOf(*d.Subject)
			src := sources[at.file]
			p.File, p.Line, p.Column, p.Snippet = at.file, at.line, at.column, snippet(src, *d.Subject)
			p.Detail += strayTemplate(d, src)
		}
		ps = append(ps, p)
	}
	return ps
}

// plainSummary begins HCL's summary in lower case, as all of ours do.
func plainSummary(d *hcl.Diagnostic) string {
	if d.Summary == "" || len(d.Summary) > 1 && d.Summary[1] >= 'A' && d.Summary[1] <= 'Z' {
		return d.Summary
	}
	return strings.ToLower(d.Summary[:1]) + d.Summary[1:]
}
