// Package command runs one command within limits: an argv without a shell, in
// a process group of its own, for a bounded time, with bounded output.
//
// What it promises whatever the program does: Run returns soon after the
// timeout or the end of the context; nothing of the program's process group is
// left when it was stopped; a program that floods its output costs no memory;
// no file descriptor of this process is inherited.
//
// A child that leaves the process group (setsid, as a daemon does) is on its
// own unless Command.Whole says otherwise. It is not waited for and not
// killed, and it finds its standard output closed when it still used ours.
// What the caller makes of a result, and whether to try again, is the caller's.
package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// DefaultTimeout bounds a Command that names no timeout.
	DefaultTimeout = 30 * time.Second

	grace  = 2 * time.Second        // between SIGTERM and SIGKILL
	linger = 500 * time.Millisecond // for a child that holds the output after its parent's end
	last   = time.Second            // for the kernel to end what was sent SIGKILL
)

// A Command says what to run and within which limits.
type Command struct {
	// Argv is the program and its arguments. A program without a slash is
	// looked up in the PATH of Env.
	Argv []string
	// Env is the whole environment, as "NAME=value"; see BaseEnv.
	Env []string
	// Dir is the working directory; empty is this process's own.
	Dir string
	// Stdin is what the program can read; without it, it reads /dev/null.
	Stdin []byte
	// Timeout is how long it may run; 0 is DefaultTimeout.
	Timeout time.Duration
	// User is the name or number of the user to run as, with that user's
	// groups; empty is this process's own. If Env says the same HOME as this
	// process's environment, the program gets the user's own HOME instead.
	User string
	// KeepStdout is how many bytes of the standard output are kept apart, in
	// Result.Stdout; 0: none. Output holds them, too.
	KeepStdout int
	// Last makes Output the last MaxOutput bytes, instead of head and tail.
	Last bool
	// Linger is for how long children that outlive the program may hold on to
	// its output, as far as Timeout allows, before they are stopped; 0: half a
	// second.
	Linger time.Duration
	// Whole says that what left the process group is stopped with the rest.
	// With a cgroup of its own (version 2, where this process may make one)
	// that is everything the program ever started; without, it is all whose
	// parents are still there when the command is stopped.
	Whole bool
	// Session gives the program a session of its own, without a terminal: it
	// can ask nobody for anything, and where it tries, it fails at once instead
	// of being stopped as one in the background that reads from a terminal.
	Session bool
	// Outside has systemd run the program, outside of the sandbox of this
	// process's own unit, with systemd's rights; Whole and Show mean nothing
	// then. All that it started ends with it. See ErrNoSystemd.
	Outside bool
	// Show gives the program files in the place of others, in a mount
	// namespace of its own. It needs CAP_SYS_ADMIN; see ErrNoNamespace.
	Show []Shown
}

// A Result is what became of a command.
type Result struct {
	// ExitCode is what the program returned; -1 when it did not end by itself.
	ExitCode int
	// Signal is the signal that ended it, as "SIGKILL"; empty for none.
	Signal string
	// TimedOut says that it was stopped because its time was over, and Timeout
	// how much it had.
	TimedOut bool
	Timeout  time.Duration
	// Output is stdout and stderr as they came, at most MaxOutput bytes: the
	// head, a line that says how much is missing, and the tail.
	Output []byte
	// Dropped is how many bytes Output leaves out.
	Dropped int64
	// Stdout is the head of the standard output, at most KeepStdout bytes, and
	// StdoutDropped how many bytes came after it.
	Stdout        []byte
	StdoutDropped int64
	// Opened are the places of those of Command.Show that somebody opened
	// there while it ran. What the program left unread is not in it; it is nil where
	// that could not be watched.
	Opened map[string]bool
	// Duration is how long it ran.
	Duration time.Duration
	// Err says why it could not be started, or that the context ended first
	// (then errors.Is finds the context's error). It is nil for a program that
	// ran, whatever it returned.
	Err error
}

// OK reports whether the program ran to its end and returned 0.
func (r Result) OK() bool { return r.Err == nil && !r.TimedOut && r.ExitCode == 0 }

// Run runs c and waits for it. It returns when the program has ended and its
// output was read; at the latest 4 seconds after the timeout or the end of ctx.
func Run(ctx context.Context, c Command) Result {
	if c.Outside {
		return runOutside(ctx, c)
	}
	begin := time.Now()
	var look *lookout
	if len(c.Show) > 0 {
		look = newLookout()
	}
	p, err := start(ctx, c, look)
	var res Result
	if err != nil {
		res = Result{ExitCode: -1, Err: err}
	} else {
		res = p.wait(ctx, c.timeout())
	}
	res.Opened = look.opened()
	res.Duration = time.Since(begin)
	return res
}

func (c Command) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

// start starts c, or says why it cannot be run.
func start(ctx context.Context, c Command, look *lookout) (*process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("cannot run %s: stopped before it was started: %w", c.name(), err)
	}
	path, err := c.lookPath()
	if err != nil {
		return nil, err
	}
	who, err := c.identity()
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: path, Args: c.Argv, Dir: c.Dir, Env: who.environ(c.Env),
		SysProcAttr: &syscall.SysProcAttr{Setpgid: !c.Session, Setsid: c.Session, Credential: who.credential}, // either makes a group
	}
	if len(c.Stdin) > 0 {
		stdin, err := inMemory(c.Stdin)
		if err != nil {
			return nil, fmt.Errorf("cannot run %s: %w", c.name(), err)
		}
		defer stdin.Close()
		cmd.Stdin = stdin
	}
	pipes, err := c.connect(cmd, who)
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", c.name(), err)
	}
	defer pipes.closeWriters()
	// What this process was itself started with, and did not ask for, ends here.
	keepNone()
	var group *cgroup
	if c.Whole {
		group = newCgroup(time.Now())
	}
	begin := func() error { return startIn(cmd, group) }
	if len(c.Show) > 0 {
		err = startShowing(c.Show, look, begin)
	} else {
		err = begin()
	}
	if err != nil {
		pipes.closeReaders()
		return nil, c.explain(path, err)
	}
	return follow(cmd, pipes, c, group), nil
}

// startBusy starts cmd, and tries again for a moment while somebody still has
// the program open for writing, as an installer or a deployment may.
func startBusy(cmd *exec.Cmd) error {
	for wait := time.Millisecond; ; wait *= 2 {
		fresh := *cmd
		err := fresh.Start()
		if err == nil || wait > 64*time.Millisecond || !isBusy(err) {
			*cmd = fresh
			return err
		}
		time.Sleep(wait)
	}
}

// filled is f with b in it, to be read from its beginning.
func filled(f *os.File, b []byte) (*os.File, error) {
	if _, err := f.Write(b); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot fill its standard input: %w", err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot rewind its standard input: %w", err)
	}
	return f, nil
}
