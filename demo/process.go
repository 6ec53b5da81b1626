package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"muster/command"
)

// A process is a child in this process's group.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	told  bool          // it was told to
}

// start starts a child whose output goes to the end of a file. The kernel
// sends it the signal when the thread that called start ends.
func start(name, log string, onDeath syscall.Signal, argv ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = command.BaseEnv(nil)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = endingWithUs(onDeath)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its error repeats the ProcessState
	}()
	return p, nil
}

// tell sends the signal that is to end the process.
func (p *process) tell(sig os.Signal) {
	p.told = true
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// lost says that the process ended though nobody told it to.
func (p *process) lost() error {
	if p.told || !p.hasEnded() {
		return nil
	}
	return fmt.Errorf("%s ended by itself: %v", p.name, p.cmd.ProcessState)
}

// end waits for a process that was told to end, and insists after a while.
func (p *process) end(patience time.Duration) {
	select {
	case <-p.ended:
		return
	case <-time.After(patience):
	}
	p.tell(os.Kill)
	<-p.ended
}

// find returns the path of a program, looked for where commands of rules are;
// empty if there is none.
func find(program string) string {
	for _, entry := range command.BaseEnv(nil) {
		dirs, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(dirs, ":") {
			path := filepath.Join(dir, program)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}

// try runs a command that should take no time, and returns the line that says
// why it did not succeed; empty if it did.
func try(ctx context.Context, argv ...string) string {
	r := command.Run(ctx, command.Command{Argv: argv, Env: command.BaseEnv(nil), Timeout: 10 * time.Second})
	if r.OK() {
		return ""
	}
	return r.String()
}
