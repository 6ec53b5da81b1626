// Command muster keeps configuration files in step with who is alive.
//
// This package turns flags into configurations, signals into contexts and
// errors into exit codes; everything else is left to the packages it calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// The exit codes. They are documented in docs/cli.md.
const (
	exitOK      = 0
	exitFailed  = 1
	exitChanges = 2  // plan --detailed-exitcode: there are changes
	exitUsage   = 64 // EX_USAGE of sysexits.h
)

// An exit is an error that asks for an exit code of its own. Without a
// message it is silent: what there was to say has been said.
type exit struct {
	code    int
	message string
}

func (e exit) Error() string { return e.message }

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(oneDash(root, args))
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(stderr, "muster: %s\n", harmless(err.Error()))
	}
	return code
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var e exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	default:
		return exitFailed
	}
}

// usage wraps a mistake in the command line.
func usage(cmd *cobra.Command, err error) error {
	return exit{exitUsage, fmt.Sprintf("%v\nTry `%s --help`.", err, cmd.CommandPath())}
}
