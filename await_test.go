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
const patience = 60 * time.Second

// eventually is `eventually [!] COMMAND...`: it tries until COMMAND succeeds
// or, with `!`, fails.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 && args[0] == "!" {
		neg, args = true, args[1:]
	}
	pause := 10 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := attempt(ts, args)
		if (err != nil) == neg {
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
		if err := attempt(ts, args); (err != nil) != neg {
			ts.Fatalf("not so: %s: %v", strings.Join(args, " "), err)
		}
	}
}

// attempt runs one of the commands that can be waited for.
func attempt(ts *testscript.TestScript, args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "exec":
		return ts.Exec(args[1], args[2:]...)
	case len(args) >= 3 && args[0] == "prints":
		err := ts.Exec(args[2], args[3:]...)
		return errors.Join(err, match(args[1], ts.ReadFile("stdout")))
	case len(args) == 3 && args[0] == "grep":
		text, err := os.ReadFile(ts.MkAbs(args[2]))
		return errors.Join(err, match(args[1], string(text)))
	case len(args) == 2 && args[0] == "exists":
		_, err := os.Lstat(ts.MkAbs(args[1]))
		return err
	case len(args) == 2 && args[0] == "fetch":
		_, err := get(args[1])
		return err
	}
	ts.Fatalf("what can be waited for is: exec PROGRAM..., prints PATTERN PROGRAM..., grep PATTERN FILE, exists FILE, fetch URL")
	return nil
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
