package reconcile

import (
	"errors"
	"strings"
)

// A commandFailure is why a command did not do what it should.
type commandFailure struct {
	brief  string // what was run, and how it ended
	output string // what is to be said of what it printed
	cause  error  // why it could not be run; nil: it was
}

func (f *commandFailure) Error() string { return f.brief + f.output }
func (f *commandFailure) Unwrap() error { return f.cause }

// Brief is the first line of an Outcome's Err, without what a command printed.
func Brief(err error) string {
	text := err.Error()
	if f := (*commandFailure)(nil); errors.As(err, &f) {
		text = f.brief
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}
