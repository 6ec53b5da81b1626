// Package agent wires the chain from live membership to files in step: it
// loads the rules, selects and renders for them when something changed, hands
// the result to reconcile, and tells what came of it. What is heard it hands
// to actions, with the rules that act. It owns the lifetimes of everything it
// starts.
//
// It leaves the membership to cluster, the meaning of rules to rules, bytes
// to templates, every change of the host to reconcile, and what an event sets
// off to actions. The one goroutine of Run owns all state; passes run beside
// it, one per lane of rules that share a command.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muster/actions"
	"muster/cluster"
	"muster/publisher"
	"muster/reconcile"
	"muster/rules"
	"muster/timeline"
)

// A Source is where the membership comes from. A *cluster.Node is one.
type Source interface {
	// View is the membership as known now.
	View() cluster.View
	// Changed receives when View may differ from the last one seen.
	Changed() <-chan struct{}
}

// Config is what an Agent needs.
type Config struct {
	Source   Source
	Events   <-chan cluster.Event // what the rules' `on` is about; nil: nothing is heard
	Lost     func() uint64        // how many events did not fit into Events; nil: not known
	Info     func() cluster.Info  // about this node, for Status
	RulesDir string               // absolute
	// RulesOptional lets an agent that keeps no file do without RulesDir.
	RulesOptional bool
	StateDir      string        // absolute; made when missing
	Resync        time.Duration // how often to look again without a reason; 0: 60 s
	Logger        *slog.Logger
	// Notify, when set, is told about the agent's life, once per change:
	// ready, reloading, stopping, and a line about how things are.
	Notify func(Notice)
	// Watchdog is how often Notify gets a sign of life from the loop; 0: never.
	Watchdog time.Duration
	Version  string // of muster, for Status
	// Services says what this node publishes, for Status; nil: nothing does.
	Services func() publisher.Report
	// Send sends a user event to the cluster; nil: there is no way to.
	Send func(ctx context.Context, name string, payload []byte, coalesce bool) error
	// Actions runs the rules that act and the handlers; the Agent tells it the
	// rules, the view and the events, and runs it. Nil: nothing acts.
	Actions     *actions.Runner
	Handlers    []rules.Handler // Serf's event_handlers
	HandlersDir string          // of executable NAME.sh; empty: none
	// InsecureGossip lets rules act though gossip is neither encrypted nor
	// kept on this host.
	InsecureGossip bool
	// Timeline is told what happens; nil: nobody looks.
	Timeline *timeline.Log
	// Blind does without the kernel's word on changed files; the resync finds
	// them all the same.
	Blind bool
}

// A Notice is something a service manager wants to know.
type Notice struct {
	Ready, Reloading, Stopping, Alive bool
	Status                            string
}

// An Agent keeps the files of a rule set in step with a membership.
type Agent struct {
	cfg        Config
	log        *slog.Logger
	reconciler *reconcile.Reconciler
	asked      chan func() // run by the loop
	stopped    chan struct{}
	loop       *loop
}

// New loads the rules and opens the state directory; what a dead run left
// half done is finished or undone before it returns. A rule file with a
// mistake is left out and reported, so that the others are kept in force.
func New(cfg Config) (*Agent, error) {
	if cfg.Resync == 0 {
		cfg.Resync = time.Minute
	}
	if cfg.Notify == nil {
		cfg.Notify = func(Notice) {}
	}
	r, err := reconcile.Open(reconcile.Config{StateDir: cfg.StateDir, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, log: cfg.Logger, reconciler: r,
		asked: make(chan func()), stopped: make(chan struct{}),
	}
	a.loop = newLoop(a)
	a.loop.first(time.Now())
	return a, nil
}

// Run keeps the files in step until ctx ends, then waits for the passes under
// way, whose commands are ended. It may be called once.
func (a *Agent) Run(ctx context.Context) error {
	defer close(a.stopped)
	err := a.loop.run(ctx)
	a.cfg.Notify(Notice{Stopping: true, Status: "stopping"})
	if closing := a.reconciler.Close(); err == nil {
		err = closing
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot keep files in step: %w", err)
	}
	return nil
}

// Close gives the state directory back. It is for an agent that was never run.
func (a *Agent) Close() error {
	a.loop.sources.close()
	err := a.reconciler.Close()
	if a.cfg.Actions != nil {
		err = errors.Join(err, a.cfg.Actions.Close())
	}
	return err
}

// ErrStopped is returned by an Agent's methods once Run has ended.
var ErrStopped = errors.New("the agent has stopped")

// ask has the loop run f, and waits for it.
func (a *Agent) ask(ctx context.Context, f func(*loop)) error {
	done := make(chan struct{})
	select {
	case a.asked <- func() { f(a.loop); close(done) }:
		<-done
		return nil
	case <-a.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ping returns nil once the agent's loop has come round.
func (a *Agent) Ping(ctx context.Context) error { return a.ask(ctx, func(*loop) {}) }

// Reload reads the rules again. With problems that are errors, the rules in
// force stay in force.
func (a *Agent) Reload(ctx context.Context) (rules.Problems, error) {
	var problems rules.Problems
	err := a.ask(ctx, func(l *loop) { problems = l.reload("reload", time.Now()) })
	return problems, err
}
