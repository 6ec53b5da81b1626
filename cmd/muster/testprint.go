package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/agent"
)

// A testPrinter prints how tests went as `go test` does, or with json as `go
// test -json`: https://pkg.go.dev/cmd/test2json.
type testPrinter struct {
	out           io.Writer
	json, verbose bool
	dir           string // takes the place of the package
	paint         painterFunc
	err           error // of the writer
}

// A testEvent is one line of JSON, with the names of test2json.
type testEvent struct {
	Time    time.Time
	Action  string   // start, run, output, pass, fail, skip
	Package string   // the rules directory
	Test    string   `json:",omitempty"` // empty: all of them
	Elapsed *float64 `json:",omitempty"` // seconds; of pass, fail and skip
	Output  string   `json:",omitempty"`
}

// event prints an event that is more than output.
func (p *testPrinter) event(action, test string, elapsed time.Duration) {
	e := testEvent{Action: action, Test: test}
	if action == "pass" || action == "fail" || action == "skip" {
		seconds := math.Round(elapsed.Seconds()*1000) / 1000
		e.Elapsed = &seconds
	}
	p.emit(e)
}

func (p *testPrinter) emit(e testEvent) {
	if !p.json {
		return
	}
	e.Time, e.Package = time.Now(), p.dir
	line, err := json.Marshal(e)
	if err == nil {
		_, err = p.out.Write(append(visible(line), '\n'))
	}
	p.failed(err)
}

// line prints a line about a test, or about all of them.
func (p *testPrinter) line(test, text string) {
	if p.json {
		p.emit(testEvent{Action: "output", Test: test, Output: text + "\n"})
		return
	}
	_, err := fmt.Fprintln(p.out, text)
	p.failed(err)
}

func (p *testPrinter) failed(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

// failure is err, or why printing failed.
func (p *testPrinter) failure(err error) error {
	if err == nil && p.err != nil {
		return fmt.Errorf("cannot print the results: %w", p.err)
	}
	return err
}

// end prints the summary.
func (p *testPrinter) end(action, text string, elapsed time.Duration) {
	p.line("", text)
	p.event(action, "", elapsed)
}

// results prints all that was found, and returns how many tests failed.
func (p *testPrinter) results(all []tested, updated []string, elapsed time.Duration) (failed int) {
	for _, t := range all {
		if len(t.result.Failures) > 0 {
			failed++
		}
		p.result(t)
	}
	for _, path := range updated {
		p.line("", "updated "+printable(near(path)))
	}
	took := fmt.Sprintf("%s\t%.3fs", p.dir, elapsed.Seconds())
	switch {
	case failed > 0:
		p.line("", p.paint(red, "FAIL"))
		p.end("fail", p.paint(red, "FAIL")+"\t"+took, elapsed)
	case len(all) == 0:
		p.end("pass", "ok  \t"+took+" [no tests to run]", elapsed)
	default:
		if p.verbose {
			p.line("", "PASS")
		}
		p.end("pass", p.paint(green, "ok")+"  \t"+took, elapsed)
	}
	return failed
}

// result prints how one test went; without verbose only if it failed.
func (p *testPrinter) result(t tested) {
	name, verdict, action, sgr := t.name, "PASS", "pass", green
	if len(t.result.Failures) > 0 {
		verdict, action, sgr = "FAIL", "fail", red
	}
	p.event("run", name, 0)
	if p.verbose {
		p.line(name, "=== RUN   "+name)
	}
	if p.verbose || action == "fail" {
		p.line(name, fmt.Sprintf("%s (%.2fs)", p.paint(sgr, "--- "+verdict+": "+name), t.elapsed.Seconds()))
		for _, f := range t.result.Failures {
			p.unmet(name, f)
		}
		for _, text := range t.result.LeftOut {
			p.line(name, "    "+printable(text))
		}
	}
	p.event(action, name, t.elapsed)
}

// unmet prints one expectation that was not met.
func (p *testPrinter) unmet(name string, f agent.TestFailure) {
	p.line(name, fmt.Sprintf("    %s:%d: %s", printable(f.File), f.Line, printable(f.Reason)))
	if f.Detail == "" {
		return
	}
	for _, line := range printableLines(f.Detail) {
		p.line(name, "        "+line)
	}
}

// near is path as one would name it from here.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
