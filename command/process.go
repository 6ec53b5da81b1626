package command

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a running command: the leader of a process group, and the read
// ends of the pipes that the group writes to.
type process struct {
	cmd   *exec.Cmd
	pipes pipes
	out   sink

	linger time.Duration
	whole  bool
	group  *cgroup // nil: none

	ended chan struct{} // closed when the leader has ended; it is not reaped yet
	eof   chan struct{} // closed when out is complete and at rest
}

// follow starts to read the output of cmd and to watch for its end.
func follow(cmd *exec.Cmd, pipes pipes, c Command, group *cgroup) *process {
	p := &process{cmd: cmd, pipes: pipes, linger: c.Linger, whole: c.Whole, group: group, ended: make(chan struct{}), eof: make(chan struct{})}
	p.out.both.last, p.out.limit = c.Last, c.KeepStdout
	go func() {
		defer close(p.eof)
		var reading sync.WaitGroup
		for i, r := range pipes.readers {
			reading.Go(func() { p.out.drain(r, i == 0 && len(pipes.readers) > 1) })
		}
		reading.Wait()
	}()
	go func() {
		defer close(p.ended)
		awaitExit(cmd.Process.Pid)
	}()
	return p
}

// signal sends sig to the whole group. The leader is not reaped yet, so the
// group exists; that all of it has ended is no error.
func (p *process) signal(sig syscall.Signal) {
	_ = syscall.Kill(-p.cmd.Process.Pid, sig)
}

// wait follows the process to its end, and helps it there when its time is
// over, when ctx ends, or when only its children are left and hold the pipe.
func (p *process) wait(ctx context.Context, timeout time.Duration) Result {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var res Result
	select {
	case <-p.ended:
		p.leftovers(ctx, timer.C)
	case <-timer.C:
		res.TimedOut, res.Timeout = true, timeout
		p.stop()
	case <-ctx.Done():
		res.Err = fmt.Errorf("stopped before it ended: %w", context.Cause(ctx))
		p.stop()
	}
	p.finish(&res)
	return res
}

// leftovers waits a moment for children that outlive the leader and still hold
// the pipe, and ends the group if they do not let go. Children that closed it
// are left alone: that is how a program starts something to stay.
func (p *process) leftovers(ctx context.Context, over <-chan time.Time) {
	timer := time.NewTimer(max(linger, p.linger))
	defer timer.Stop()
	select {
	case <-p.eof:
		return
	case <-timer.C:
	case <-over:
	case <-ctx.Done():
	}
	p.signal(syscall.SIGTERM)
	if !within(linger, p.eof) {
		p.signal(syscall.SIGKILL)
	}
}

// stop ends the whole group: politely first, and for good after the grace or
// as soon as the leader is gone and the output closed. If the command is to
// end as a whole, so does what it started and what left the group.
func (p *process) stop() {
	var strays family
	if p.whole {
		strays.find(p.cmd.Process.Pid)
		strays.signal(syscall.SIGTERM)
		p.group.signal(syscall.SIGTERM)
		defer func() {
			strays.find(p.cmd.Process.Pid)
			strays.signal(syscall.SIGKILL)
			p.group.kill()
		}()
	}
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT) // a stopped process would not notice
	deadline := time.Now().Add(grace)
	if within(grace, p.ended) {
		within(time.Until(deadline), p.eof)
	}
	p.signal(syscall.SIGKILL)
}

// finish collects what there is to collect, without waiting for anyone who
// cannot be ended: a process in an uninterruptible sleep, or one that left the
// group and keeps the pipe.
func (p *process) finish(res *Result) {
	within(linger, p.eof)
	p.pipes.closeReaders() // ends the reading
	<-p.eof
	res.Output, res.Dropped = p.out.both.result()
	res.Stdout, res.StdoutDropped = p.out.stdout, p.out.more
	defer p.group.close()
	res.ExitCode = -1
	if !within(last, p.ended) {
		go p.reap() // whenever the kernel lets go of it
		if res.Err == nil && !res.TimedOut {
			res.Err = fmt.Errorf("cannot end process %d", p.cmd.Process.Pid)
		}
		return
	}
	p.reap()
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	res.ExitCode = status.ExitStatus()
	if status.Signaled() {
		res.Signal = unix.SignalName(status.Signal())
	}
}

func (p *process) reap() {
	<-p.ended
	_ = p.cmd.Wait() // its error repeats the ProcessState
}

// within reports whether c was closed before d had passed.
func within(d time.Duration, c <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
}
