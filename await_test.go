package muster_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds how long anything is waited for. It is a bound on hanging,
// not a claim about speed: machines are shared.
const patience = 2 * time.Minute

// eventually is `eventually [!] COMMAND...`: it tries until COMMAND succeeds
// or, with `!`, fails.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 && args[0] == "!" {
		neg, args = true, args[1:]
	}
	pause := 10 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		out, err := attempt(ts, args)
		done := (err != nil) == neg
		if done || time.Now().After(deadline) {
			fmt.Fprint(ts.Stdout(), out)
		}
		if done {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still not so after %v: %s: %v", patience, strings.Join(args, " "), err)
		}
		pause = min(2*pause, 200*time.Millisecond)
	}
}

// steady is `steady [!] COMMAND...`: it fails if COMMAND fails, now or in the
// next second.
func steady(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 && args[0] == "!" {
		neg, args = true, args[1:]
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := attempt(ts, args); (err != nil) != neg {
			ts.Fatalf("not so: %s: %v", strings.Join(args, " "), err)
		}
	}
}

// attempt tries one of the commands that can be waited for, and returns what
// it printed.
func attempt(ts *testscript.TestScript, args []string) (string, error) {
	switch {
	case len(args) >= 2 && args[0] == "exec":
		return run(ts, args[1:])
	case len(args) >= 3 && args[0] == "prints":
		out, err := run(ts, args[2:])
		return out, errors.Join(err, match(args[1], out))
	case len(args) == 3 && args[0] == "grep":
		text, err := os.ReadFile(ts.MkAbs(args[2]))
		return "", errors.Join(err, match(args[1], string(text)))
	case len(args) == 2 && args[0] == "exists":
		_, err := os.Lstat(ts.MkAbs(args[1]))
		return "", err
	case len(args) == 3 && args[0] == "serves":
		body, err := get(args[2])
		return body, errors.Join(err, match(args[1], body))
	case len(args) == 3 && args[0] == "sees":
		return "", theBrowser(ts).sees(args[1], args[2])
	}
	ts.Fatalf("what can be waited for is: exec PROGRAM..., prints PATTERN PROGRAM..., grep PATTERN FILE, exists FILE, serves PATTERN URL, sees PATTERN SELECTOR")
	return "", nil
}

// run runs argv to its end, and returns what it wrote to standard output.
// Unlike ts.Exec it leaves no trace in the log, for it is tried often.
func run(ts *testscript.TestScript, argv []string) (string, error) {
	cmd := newCommand(ts, argv)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w\n%s%s", err, out.String(), errs.String())
	}
	return out.String(), err
}

// match reports whether text has a match of pattern, in which ^ and $ mean
// the ends of a line.
func match(pattern, text string) error {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(text) {
		return fmt.Errorf("no match of %s in:\n%s", pattern, text)
	}
	return nil
}
