package main

import (
	"io"

	"muster/rules"
)

// printProblems prints what was found, and fails if any of it is an error.
func (a *app) printProblems(w io.Writer, problems rules.Problems) error {
	color, err := a.colored(w)
	if err != nil {
		return err
	}
	problems.Print(w, color)
	if problems.HasErrors() {
		return exit{code: exitFailed}
	}
	return nil
}
