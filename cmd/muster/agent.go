package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/web"
)

// stopLimit bounds a graceful stop: leaving, and ending the commands under
// way. After it the agent exits with what it has.
const stopLimit = 10 * time.Second

// oneSignal is how soon a second signal is still the first: timeout(1) and its
// like signal a process, and then its group.
const oneSignal = 100 * time.Millisecond

// eventBacklog is how many events may wait for the agent. Members are not
// taken from events, so that only what triggers a rule's `on` could be
// missed, and the resync makes up for that.
const eventBacklog = 1024

func (a *app) agentCommand() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent: join the cluster and keep files in step",
		Long: `Run the agent in the foreground. It joins the cluster, and from then on keeps
the files of every rule in step with the live members.

SIGHUP reads the rules again. SIGINT and SIGTERM leave the cluster and stop
within ten seconds; a second one stops at once.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runAgent(cmd.Context(), flags) },
	}
	flags.Add(cmd.Flags())
	return cmd
}

// gcPercent makes the heap grow by half before garbage is collected, instead
// of doubling: some CPU for a third less memory (docs/performance.md). GOGC
// in the environment goes before it.
const gcPercent = 50

// runAgent runs an agent until a signal ends it.
func (a *app) runAgent(ctx context.Context, flags config.Flags) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg, problems := config.Load(flags)
	if err := a.printProblems(a.err, problems); err != nil {
		return err
	}
	log := newLogger(a.err, cfg.Log)
	cfg.Cluster.Logger = log
	node, err := cluster.Join(cfg.Cluster)
	if err != nil {
		return err
	}
	events := node.Subscribe(eventBacklog)
	defer events.Close()
	keeper, err := agent.New(agent.Config{
		Source: node, Events: events.C, Info: node.Info, RulesDir: cfg.Rules.Dir, StateDir: cfg.State.Dir, Resync: cfg.Rules.Resync,
		Logger: log, Notify: notify(log), Watchdog: watchdogInterval(), Version: version(),
	})
	if err != nil {
		return err
	}
	socket := cfg.HTTP.Socket
	if socket == "" {
		socket = defaultSocket()
	}
	ln, err := web.Socket{Path: socketPath(socket), Mode: cfg.HTTP.Mode, Group: cfg.HTTP.Group}.Listen()
	if err != nil {
		return errors.Join(err, keeper.Close())
	}
	return supervise(ctx, services{node, keeper, ln, log, cfg.Leave})
}

// services is what one agent process runs.
type services struct {
	node   *cluster.Node
	keeper *agent.Agent
	ln     net.Listener
	log    *slog.Logger
	leave  config.Leave
}

// supervise runs the services until a signal or the first failure, then stops
// them all and waits.
func supervise(parent context.Context, s services) error {
	stopping, stop := context.WithCancelCause(parent)
	defer stop(nil)
	group, ctx := errgroup.WithContext(stopping)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		var stopped time.Time
		for sig := range signals {
			switch {
			case sig == syscall.SIGHUP:
				s.reload(ctx)
			case !stopped.IsZero() && time.Since(stopped) < oneSignal:
			case ctx.Err() != nil:
				s.log.Warn("stopped at once", "signal", sig.String())
				os.Exit(exitFailed)
			default:
				cause := cluster.ErrStay
				if sig == syscall.SIGINT && s.leave.OnInterrupt || sig == syscall.SIGTERM && s.leave.OnTerminate {
					cause = nil
				}
				stopped = time.Now()
				s.log.Info("stopping", "signal", sig.String(), "leave", cause == nil)
				stop(cause)
			}
		}
	}()
	context.AfterFunc(ctx, func() {
		time.AfterFunc(stopLimit, func() {
			s.log.Error("stopped without waiting further", "limit", stopLimit)
			os.Exit(exitFailed)
		})
	})
	group.Go(func() error { return s.node.Run(ctx) })
	group.Go(func() error { return s.keeper.Run(ctx) })
	group.Go(func() error { return web.Serve(ctx, s.ln, web.Handler(s.keeper), s.log) })
	err := group.Wait()
	s.log.Info("stopped")
	return err
}

// reload reads the rules again, as `muster reload` does.
func (s services) reload(ctx context.Context) {
	if _, err := s.keeper.Reload(ctx); err != nil {
		s.log.Error(fmt.Sprintf("cannot reload the rules: %v", err))
	}
}
