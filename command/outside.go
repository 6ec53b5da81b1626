package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// ErrNoSystemd is the Result.Err of a Command that is to run Outside where
// systemd is not there to run it.
var ErrNoSystemd = errors.New("systemd does not run here")

// booted is there where systemd is the init, see sd_booted(3).
const booted = "/run/systemd/system"

// runOutside has systemd run c, as a service of its own: systemd-run hands it
// our standard input and output, waits for it, and returns its exit code.
//
// The service outlives a systemd-run that is stopped. So what stopped that
// stops the service, too; and should this process be killed meanwhile, systemd
// itself does when the time is over.
func runOutside(ctx context.Context, c Command) Result {
	if info, err := os.Stat(booted); err != nil || !info.IsDir() {
		return Result{ExitCode: -1, Err: fmt.Errorf("cannot run %s by systemd-run: %w: leave out `sandbox`", c.name(), ErrNoSystemd)}
	}
	unit := "muster-run-" + strings.ToLower(rand.Text()) + ".service"
	out, err := c.viaSystemd(unit)
	if err != nil {
		return Result{ExitCode: -1, Err: err}
	}
	res := Run(ctx, out)
	if res.TimedOut || res.Err != nil || res.Signal != "" {
		stop := Command{Argv: []string{"systemctl", "stop", "--quiet", unit}, Env: BaseEnv(nil), Timeout: 2 * grace}
		// Nothing is to be done where it fails: systemd ends the service itself.
		_ = Run(context.WithoutCancel(ctx), stop)
	}
	return res
}

// viaSystemd is the command that has systemd run c in a unit of this name.
func (c Command) viaSystemd(unit string) (Command, error) {
	program := c
	program.User = "" // systemd's business, as all of it
	path, err := program.lookPath()
	if err != nil {
		return c, err
	}
	argv := []string{
		"systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--unit=" + unit,
		"--description=" + c.name() + ", run by muster",
		fmt.Sprintf("--property=RuntimeMaxSec=%d", int(math.Ceil((c.timeout() + last).Seconds()))),
		fmt.Sprintf("--property=TimeoutStopSec=%d", grace/time.Second),
	}
	if c.User != "" {
		argv = append(argv, "--uid="+c.User)
	}
	if c.Dir != "" {
		argv = append(argv, "--working-directory="+c.Dir)
	}
	for _, entry := range c.Env {
		// The value stays out of the argv, which everybody can read. A user's
		// HOME is for systemd to say.
		if name, value, _ := strings.Cut(entry, "="); name != "HOME" || c.User == "" || value != home() {
			argv = append(argv, "--setenv="+name)
		}
	}
	argv = append(argv, "--")
	for _, word := range append([]string{path}, c.Argv[1:]...) {
		argv = append(argv, strings.ReplaceAll(word, "$", "$$")) // systemd puts variables in, see systemd.service(5)
	}
	c.Argv = argv
	c.User, c.Dir, c.Outside, c.Whole, c.Show = "", "", false, false, nil
	return c, nil
}
