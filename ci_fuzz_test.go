package muster_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What go test says of fuzzing when it is itself that fails, or not only.
const (
	fuzzed   = "ok  \tx\t5.0s\n"
	finding  = "--- FAIL: FuzzX (0.10s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:7: wrong\n    \n    Failing input written to testdata/fuzz/FuzzX/abc\nFAIL\n"
	late     = "--- FAIL: FuzzX (5.10s)\n    context deadline exceeded\nFAIL\n"
	killed   = "--- FAIL: FuzzX (2.10s)\n    fuzzing process terminated by unexpected signal; no crash will be recorded: signal: killed\nFAIL\n"
	ended    = "--- FAIL: FuzzX (2.10s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\n    Failing input written to testdata/fuzz/FuzzX/abc\nFAIL\n"
	notBegun = "--- FAIL: FuzzX (0.10s)\n    fuzzing process terminated without fuzzing: EOF\nFAIL\n"
)

// .ci/fuzz tells what a target has found from what the engine has met on a busy
// machine. In place of go it has a program that says what it is told to, one
// answer for each call.
func TestFuzzing(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string // "FAIL" in it: exit status 1
		fails   bool
		keeps   bool // the input
	}{
		"nothing":                       {[]string{fuzzed}, false, true},
		"a finding":                     {[]string{finding}, true, true},
		"late, then not":                {[]string{late, fuzzed}, false, true},
		"late again":                    {[]string{late, late}, false, true},
		"late, then a finding":          {[]string{late, finding}, true, true},
		"killed, then not":              {[]string{killed, fuzzed}, false, true},
		"killed always":                 {[]string{killed, killed}, true, true},
		"a target that cannot begin":    {[]string{notBegun, notBegun}, true, true},
		"an input that ends a worker":   {[]string{ended, "FAIL\n"}, true, true},
		"or sometimes does":             {[]string{ended, fuzzed, fuzzed, "FAIL\n"}, true, true},
		"an input that is not to blame": {[]string{ended, fuzzed, fuzzed, fuzzed, fuzzed}, false, false},
		"a panic":                       {[]string{"panic: x\n    context deadline exceeded\nFAIL\n"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := map[string]string{
				".ci/fuzz":                read(t, ".ci/fuzz"),
				"x_test.go":               "func FuzzX(f *testing.F) {}\n",
				"testdata/fuzz/FuzzX/abc": "go test fuzz v1\n",
				"bin/go": "#!/bin/sh\ni=$(cat " + dir + "/calls 2>/dev/null || echo 0)\necho $((i + 1)) >" + dir + "/calls\n" +
					"cat " + dir + "/answer$i || exit 1\n! grep -q FAIL " + dir + "/answer$i\n",
			}
			for i, text := range c.answers {
				files[fmt.Sprint("answer", i)] = text
			}
			for path, text := range files {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("bash", filepath.Join(dir, ".ci/fuzz"))
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != c.fails {
				t.Errorf("%v", err)
			}
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if strings.TrimSpace(string(calls)) != fmt.Sprint(len(c.answers)) {
				t.Errorf("%s calls of go, must be %d", calls, len(c.answers))
			}
			if _, err := os.Stat(filepath.Join(dir, "testdata/fuzz/FuzzX/abc")); (err == nil) != c.keeps {
				t.Errorf("the input: %v", err)
			}
			if t.Failed() {
				t.Logf("it says:\n%s", out)
			}
		})
	}
}
