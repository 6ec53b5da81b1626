package command

import "errors"

// A Shown is a file that a program finds in the place of another, in a mount
// namespace of its own: for everybody else nothing changes.
type Shown struct {
	At   string // where the program finds it; absolute, free of links, and its directory exists
	From string // a regular file; empty: the program finds nothing there
}

// ErrNoNamespace is the Result.Err of a Command with Show where this process
// may not make mount namespaces.
var ErrNoNamespace = errors.New("this process may not make mount namespaces")
