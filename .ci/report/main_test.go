package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, events, want string
		ok                 bool
	}{
		{"passes and skips", `
{"Action":"output","Package":"m/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"m/a","Test":"TestA","Elapsed":0.1}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"    a_test.go:3: no nginx here\n"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestB"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.3s\n"}
{"Action":"pass","Package":"m/a","Elapsed":0.3}
`, `ok   m/a 0.3s
SKIP m/a TestB: a_test.go:3: no nginx here
1 passed, 0 failed, 1 skipped
`, true},
		{"a failure shows its output", `
{"Action":"output","Package":"m/a","Test":"TestA","Output":"    a_test.go:9: got 1\n"}
{"Action":"fail","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a","Elapsed":0.2}
`, `    a_test.go:9: got 1
FAIL
FAIL m/a 0.2s
0 passed, 1 failed
`, false},
		{"a panic leaves a test without a verdict", `
{"Action":"pass","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"panic: oh\n"}
{"Action":"fail","Package":"m/a","Elapsed":0.2}
`, `panic: oh
FAIL m/a 0.2s
1 passed, 1 failed
`, false},
		{"a build that fails", `
{"ImportPath":"m/a","Action":"build-output","Output":"a.go:1:1: expected 'package'\n"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a [build failed]\n"}
{"Action":"fail","Package":"m/a"}
`, `a.go:1:1: expected 'package'
FAIL	m/a [build failed]
FAIL m/a 0.0s
0 passed, 1 failed
`, false},
		{"nothing ran", "pattern ./...: no such directory\n", `pattern ./...: no such directory
FAIL no test ran
0 passed, 1 failed
`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			r := report{out: &out}
			if err := r.read(strings.NewReader(strings.TrimPrefix(tt.events, "\n"))); err != nil {
				t.Fatal(err)
			}
			if ok := r.summary(); ok != tt.ok {
				t.Errorf("summary() = %v, want %v", ok, tt.ok)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEarlierFailuresCount(t *testing.T) {
	var out strings.Builder
	r := report{out: &out, failed: 2}
	if err := r.read(strings.NewReader(`{"Action":"pass","Package":"m/a","Test":"TestA"}`)); err != nil {
		t.Fatal(err)
	}
	if r.summary() || out.String() != "1 passed, 2 failed\n" {
		t.Errorf("got %q", out.String())
	}
}
