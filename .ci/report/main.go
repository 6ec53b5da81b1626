// Command report reads the events of `go test -json` and writes what a person
// wants of them: a line for each package, all output of what failed, every
// skipped test with its reason, and at the end the count.
//
//	go test -json ./... | go run ./.ci/report
//
// It exits with 1 when a test or a package failed, or none ran. It leaves
// running the tests to go test.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	failed := flag.Int("failed", 0, "count so many failures of earlier steps in")
	flag.Parse()
	r := report{out: os.Stdout, failed: *failed}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "cannot read the test events:", err)
		os.Exit(1)
	}
	if !r.summary() {
		os.Exit(1)
	}
}

// An event is one line of `go test -json`; `go doc test2json` describes it.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

type report struct {
	out                     io.Writer
	passed, failed, skipped int
	output                  map[[2]string][]string // by package and test, until its verdict
	failedIn                map[string]bool        // packages with a failed test
	skips                   []string
}

// read takes in all events. A line that is none is passed through.
func (r *report) read(in io.Reader) error {
	r.output, r.failedIn = map[[2]string][]string{}, map[string]bool{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil {
				r.take(e)
			} else {
				fmt.Fprint(r.out, line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.verdict(e, r.output[key])
		} else {
			r.closePackage(e, r.output[key])
		}
		delete(r.output, key)
	}
}

// verdict counts a test. A test's subtests count too.
func (r *report) verdict(e event, output []string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failedIn[e.Package] = true
		fmt.Fprint(r.out, strings.Join(output, ""))
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("SKIP %s %s: %s", e.Package, e.Test, reason(output)))
	}
}

// reason is what a skipped test logged, without go test's own lines.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return cmp.Or(strings.Join(said, " "), "no reason given")
}

func (r *report) closePackage(e event, output []string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
	case "fail":
		if !r.failedIn[e.Package] { // it did not build, or a panic or a time-out ended it
			r.failed++
		}
		// What a panic cut short has no verdict; its output tells why.
		for key, pending := range r.output {
			if key[0] == e.Package && key[1] != "" {
				fmt.Fprint(r.out, strings.Join(pending, ""))
				delete(r.output, key)
			}
		}
		fmt.Fprint(r.out, strings.Join(output, ""))
		fmt.Fprintf(r.out, "FAIL %s %.1fs\n", e.Package, e.Elapsed)
	}
}

// summary writes the skips and the closing line, and says whether all is well.
func (r *report) summary() bool {
	for _, s := range r.skips {
		fmt.Fprintln(r.out, s)
	}
	if r.passed == 0 && r.failed == 0 {
		fmt.Fprintln(r.out, "FAIL no test ran")
		r.failed++
	}
	fmt.Fprintf(r.out, "%d passed, %d failed", r.passed, r.failed)
	if r.skipped > 0 {
		fmt.Fprintf(r.out, ", %d skipped", r.skipped)
	}
	fmt.Fprintln(r.out)
	return r.failed == 0
}
