package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"muster/cluster"
	"muster/command"
	"muster/rules"
)

const (
	// maxStdout is how much of what a command prints is kept for the steps after
	// it: more than any event or answer can carry.
	maxStdout = 64 << 10
	// A failed run is repeated after a second, two, four …
	firstRetry, maxRetry = time.Second, time.Minute
	// A node may be out of its cluster for a moment.
	sendAttempts = 3
	sendTimeout  = 15 * time.Second
)

// act does the steps of a rule, up to the first that fails.
func (r *Runner) act(ctx context.Context, l *lane, j *job) (said string, err error) {
	r.mu.Lock()
	rule := l.rule
	o := r.picture(l, j)
	r.mu.Unlock()
	for _, s := range rule.Steps {
		switch {
		case s.Run != nil:
			var res command.Result
			if res, err = r.runStep(ctx, l, rule, s.Run, o); err == nil {
				said = res.String()
				o.Run = &rules.RunResult{Stdout: string(res.Stdout), ExitCode: res.ExitCode}
			}
		case s.Send != nil:
			said, err = r.sendStep(ctx, s.Send, o)
		case s.Respond != nil:
			said, err = r.respondStep(ctx, l, rule, s.Respond, o)
		}
		if err != nil {
			return "", err
		}
	}
	return said, nil
}

// runStep runs a command, and again if that fails and the rule says so.
func (r *Runner) runStep(ctx context.Context, l *lane, rule *rules.Rule, s *rules.Run, o rules.Occasion) (command.Result, error) {
	c, err := r.command(&s.Command, s.Stdin, rule, o)
	if err != nil {
		return command.Result{}, err
	}
	for wait := firstRetry; ; wait = min(2*wait, maxRetry) {
		res := r.execute(ctx, l, c)
		if res.OK() {
			return res, nil
		}
		err := &runError{c.Argv[0], res}
		if s.Retries == 0 || ctx.Err() != nil {
			return res, err
		}
		next := *s
		next.Retries--
		s = &next
		r.log.Warn("a command failed and is tried again", l.kind, l.name, "event", describe(o.Event, o.Member), "error", err, "wait", wait, "left", next.Retries)
		if !sleep(ctx, wait) {
			return res, err
		}
	}
}

// A runError is why a command did not do what it should.
type runError struct {
	program string // empty: whoever reads it knows
	result  command.Result
}

func (e *runError) Error() string {
	if e.program == "" {
		return e.result.String()
	}
	return e.program + ": " + e.result.String()
}

// command makes a command of what a rule says.
func (r *Runner) command(c *rules.Command, input string, rule *rules.Rule, o rules.Occasion) (command.Command, error) {
	argv, err := c.Argv(o)
	if err != nil {
		return command.Command{}, err
	}
	options, err := c.Options(o)
	if err != nil {
		return command.Command{}, err
	}
	in, err := stdin(input, rule.Name, o)
	if err != nil {
		return command.Command{}, err
	}
	return command.Command{
		Argv: argv, Env: r.environ(o.View.SelfMember(), o.Event, options.Env), Stdin: in,
		Timeout: options.Timeout, User: options.User, Outside: options.Outside, KeepStdout: maxStdout, Whole: true,
	}, nil
}

// environ is the environment of a rule's command: the basic one, Serf's
// variables, where this agent listens, and extra, which wins.
func (r *Runner) environ(self cluster.Member, e cluster.Event, extra map[string]string) []string {
	env := map[string]string{}
	for _, v := range serfEnv(self, e) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	if r.c.Socket != "" {
		env["MUSTER_SOCKET"] = r.c.Socket
	}
	for name, value := range extra {
		env[name] = value
	}
	return command.BaseEnv(env)
}

// execute runs c, and lets Status say so meanwhile.
func (r *Runner) execute(ctx context.Context, l *lane, c command.Command) command.Result {
	shown := make([]string, 0, maxShownArgs)
	for _, a := range c.Argv[:min(len(c.Argv), maxShownArgs)] {
		shown = append(shown, command.Line([]byte(a), 200))
	}
	r.mu.Lock()
	if l.running != nil {
		l.running.Argv = shown
	}
	r.mu.Unlock()
	return r.exec(ctx, c)
}

const maxShownArgs = 16

// sendStep sends the event that follows.
func (r *Runner) sendStep(ctx context.Context, s *rules.Send, o rules.Occasion) (string, error) {
	name, payload, err := s.Event(o)
	if err != nil {
		return "", err
	}
	if r.c.Send == nil {
		return "", fmt.Errorf("cannot send the event %s: there is no cluster", printable(name))
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	for n := 1; ; n++ {
		if err = r.c.Send(ctx, name, payload); err == nil {
			return fmt.Sprintf("sent %s, %d bytes", printable(name), len(payload)), nil
		}
		if n == sendAttempts || !sleep(ctx, firstRetry) {
			return "", fmt.Errorf("cannot send the event %s: %w", printable(name), err)
		}
	}
}

// respondStep answers a query, if there is still somebody who listens.
func (r *Runner) respondStep(ctx context.Context, l *lane, rule *rules.Rule, s *rules.Respond, o rules.Occasion) (string, error) {
	var answer []byte
	if s.Command == nil {
		text, err := s.Text(o)
		if err != nil {
			return "", err
		}
		answer = []byte(text)
	} else {
		c, err := r.command(s.Command, rules.StdinSerf, rule, o)
		if err != nil {
			return "", err
		}
		if left, bounded := until(o.Event, r.now()); bounded {
			c.Timeout = min(c.Timeout, max(left, time.Millisecond))
		}
		res := r.execute(ctx, l, c)
		if !res.OK() {
			return "", &runError{c.Argv[0], res}
		}
		if res.StdoutDropped > 0 {
			return "", fmt.Errorf("cannot answer: %s printed %d bytes more than %d", c.Argv[0], res.StdoutDropped, maxStdout)
		}
		answer = res.Stdout
	}
	if err := r.respond(o.Event, answer); err != nil {
		return "", err
	}
	return fmt.Sprintf("answered with %d bytes", len(answer)), nil
}

// respond sends an answer while it counts.
func (r *Runner) respond(e cluster.Event, answer []byte) error {
	if late(e, r.now()) {
		return errors.New("cannot answer: the query's time is over")
	}
	return e.Respond(answer)
}

// until returns how long answers to e count; bounded is false where that is
// not known.
func until(e cluster.Event, now time.Time) (left time.Duration, bounded bool) {
	if e.Deadline.IsZero() {
		return 0, false
	}
	return e.Deadline.Sub(now), true
}

func late(e cluster.Event, now time.Time) bool {
	left, bounded := until(e, now)
	return bounded && left <= 0
}

// handle runs a line of event_handlers as Serf's agent does, or a file of the
// handlers' directory.
func (r *Runner) handle(ctx context.Context, l *lane, j *job) (said string, err error) {
	r.mu.Lock()
	self := r.world.view.SelfMember()
	r.mu.Unlock()
	c := command.Command{Stdin: serfInput(j.event), Timeout: r.c.HandlerTimeout, Whole: true}
	if l.kind == KindFile {
		if err := usable(l.name); err != nil { // its rights may have changed
			return "", fmt.Errorf("cannot run %s: %w", printable(l.name), cause(err))
		}
		c.Argv, c.Env = []string{l.name}, r.environ(self, j.event, nil)
	} else {
		c.Argv = []string{"/bin/sh", "-c", l.handler.Script}
		c.Env = append(os.Environ(), serfEnv(self, j.event)...)
		if r.c.Socket != "" {
			c.Env = append(c.Env, "MUSTER_SOCKET="+r.c.Socket)
		}
		c.Last, c.Linger = true, c.Timeout
	}
	res := r.execute(ctx, l, c)
	if !res.OK() {
		return "", &runError{result: res}
	}
	if l.kind == KindHandler && j.event.Type == cluster.EventQuery && len(res.Output) > 0 {
		if err := r.respond(j.event, res.Output); err != nil {
			return "", err
		}
	}
	return res.String(), nil
}
