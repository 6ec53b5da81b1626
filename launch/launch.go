// Package launch puts a service on the nodes of a cluster that are least busy,
// or takes it off the busiest: it chooses them, runs the service's Ansible
// playbook on them, follows it while it runs, and has registered what
// succeeded, and nothing else.
//
// What members say of themselves never becomes Ansible's syntax or a word of a
// command line: the nodes picked are a group in an inventory file, made by
// package inventory, and that group's fixed name is all that the command line
// says of them. How each node has fared is told by a callback plugin of ours
// through a pipe of its own, as values; no output is read for it.
//
// How busy the nodes are is told by package nodes; how a node's list is changed
// (package metadata) and how all this is shown is left to the caller.
package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"muster/cluster"
	"muster/command"
)

const (
	// DefaultTimeout is for how long a playbook may run.
	DefaultTimeout = time.Hour
	program        = "ansible-playbook"
)

// Config is what Run needs.
type Config struct {
	Choice   Choice
	Playbook string // its absolute path
	// Members are all that the cluster knows. The living ones are the
	// inventory, so that a play can refer to them.
	Members []cluster.Member
	Args    []string // more for ansible-playbook; see ParseArgs
	Secrets []Secret // passwords for it
	// Env is the environment for it, as "NAME=value": that of the user, whose
	// ssh-agent, vaults and settings a playbook needs.
	Env     []string
	Timeout time.Duration // default DefaultTimeout
	// Told is called with what happens, one after the other; nil: nobody.
	Told func(Event)
}

// Installed reports that there is no ansible-playbook, and what to do.
func Installed(env []string) error {
	if _, err := (command.Command{Argv: []string{program}, Env: env}).Find(); err != nil {
		return fmt.Errorf("%w. It is part of Ansible: apt install ansible-core", err)
	}
	return nil
}

// Run runs the playbook on the nodes picked and returns how each has fared. It
// is an error if the playbook could not be run at all; that it failed on nodes
// is not. When ctx ends, Ansible and all it has started is ended within
// seconds; the nodes that had finished by then have succeeded.
func Run(ctx context.Context, c Config) (Outcome, error) {
	fail := func(err error) (Outcome, error) {
		return Outcome{}, fmt.Errorf("cannot run %s: %w", c.Playbook, err)
	}
	dir, err := os.MkdirTemp("", "muster-launch-") // for this user alone
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	laid, err := c.lay(dir)
	if err != nil {
		return fail(err)
	}
	// Open for both, so that opening waits for nobody and reading does not end
	// when Ansible's side is closed.
	pipe, err := os.OpenFile(laid.pipe, os.O_RDWR, 0)
	if err != nil {
		return fail(err)
	}
	defer pipe.Close()
	t := newTally(c)
	heard := make(chan error, 1)
	go func() { heard <- t.hear(pipe) }()
	res := command.Run(ctx, command.Command{
		Argv: laid.argv, Env: laid.env, Timeout: c.timeout(), Whole: true, Session: true, Last: true,
	})
	if _, err := pipe.WriteString(theEnd); err != nil {
		return fail(err)
	}
	if err := <-heard; err != nil {
		return fail(fmt.Errorf("cannot follow it: %w", err))
	}
	stopped := errors.Is(res.Err, context.Canceled)
	if res.Err != nil && !stopped {
		return fail(res.Err)
	}
	if !t.begun && !stopped && !res.TimedOut {
		return fail(fmt.Errorf("ansible-playbook ran nothing, %s:\n%s", res.Verdict(), strings.TrimSpace(string(res.Output))))
	}
	return t.outcome(res, stopped), nil
}

func (c Config) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

// mkfifo makes a pipe with a name.
func mkfifo(path string) error {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return nil
}
