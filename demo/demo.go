// Package demo shows muster at work: a small cluster on the loopback
// interface, told act by act, with what became of the files of one of its
// nodes, how soon, and whether a request was lost on the way.
//
// The nodes are real: child processes of the same binary, in this process's
// group, and real nginx where it is installed. They end with this process,
// however it ends. Signals, flags and colours are left to the caller.
package demo

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"
)

// Config says how to show it.
type Config struct {
	// Program is the muster binary. It is run as `Program agent` for the node
	// whose files are shown, and as `Program demo node --serve ADDR:PORT
	// --answer NAME` for the others: an agent without rules, beside Serve.
	Program string
	Out     io.Writer
	Color   bool
	// PrintDiff prints a unified diff to Out, every line indented.
	PrintDiff func(indent, diff string)
	// Bare does without nginx and haproxy even where they are installed.
	Bare bool
	// Keep leaves everything running at the end, until the context ends.
	Keep bool
}

// ErrStopped is returned by Run when its context ended before the demo did.
var ErrStopped = errors.New("the demo was stopped before its end; nothing is left of it")

// patience bounds every wait for something to happen. What should take
// seconds may take longer on a busy machine, but not for ever.
const patience = 60 * time.Second

// Run shows the demo: it returns nil if all went as told and no request
// failed. Before it returns, every process that it started has ended and every
// file is removed.
func Run(ctx context.Context, cfg Config) (err error) {
	// The kernel tells a child that its parent died when the parent's thread
	// ends (prctl(2), PR_SET_PDEATHSIG). All are started from this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.play(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		return ErrStopped
	case err != nil:
		s.postmortem()
		return err
	case cfg.Keep:
		s.printUse()
		<-ctx.Done()
	}
	return nil
}
