package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/drain"
	"muster/fleet"
	"muster/metadata"
	"muster/nodes"
	"muster/page"
	"muster/publisher"
	"muster/rpc"
	"muster/rules"
	"muster/telemetry"
	"muster/timeline"
	"muster/web"
)

// stopLimit bounds a graceful stop: leaving, and ending the commands under
// way. After it the agent exits with what it has.
const stopLimit = 10 * time.Second

// oneSignal is how soon a second signal is still the first: timeout(1) and its
// like signal a process, and then its group.
const oneSignal = 100 * time.Millisecond

// A membership is where members and events come from: a node of our own, or
// an agent that is followed.
type membership interface {
	agent.Source
	Run(ctx context.Context) error
	Info() cluster.Info
	Subscribe(size int) *cluster.Subscription
	Send(ctx context.Context, name string, payload []byte, coalesce bool) error
	SetTags(ctx context.Context, change func(map[string]string)) error
}

// services is what one agent process runs.
type services struct {
	member membership
	node   *cluster.Node // nil: an agent is followed
	keeper *agent.Agent
	nodes  *nodes.Book
	runs   *metadata.Registry
	fleet  *fleet.Fleet
	drain  *drain.Drain
	past   *timeline.Log         // what has happened
	ears   *cluster.Subscription // for mux
	mux    cluster.Mux           // what the agent itself answers and notes
	offers *publisher.Publisher
	api    net.Listener
	http   net.Listener // nil: no TCP
	web    *web.API
	page   *page.Page
	meter  *telemetry.Meter
	rpc    *rpc.Server // nil: an agent is followed
	rpcs   []net.Listener
	log    *agentLog
	flags  config.Flags
	cfg    config.Config

	handlers atomic.Pointer[[]rules.Handler] // event_handlers in force
	mistaken atomic.Bool                     // the configuration as read last is not in force

	part func(cause error) // ends the membership before the rest
	gone chan struct{}     // closed when it has ended
}

// run runs the services until a signal, a client's wish or the first failure,
// then stops them all and waits.
func (s *services) run(parent context.Context) error {
	stopping, stop := context.WithCancelCause(parent)
	defer stop(nil)
	group, ctx := errgroup.WithContext(stopping)
	var inCluster context.Context
	inCluster, s.part = context.WithCancelCause(ctx)
	s.gone = make(chan struct{})

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go s.heed(ctx, signals, stop)
	context.AfterFunc(ctx, func() {
		time.AfterFunc(stopLimit, func() {
			s.log.Error("stopped without waiting further", "limit", stopLimit)
			os.Exit(exitFailed)
		})
	})
	group.Go(func() error {
		defer stop(nil)
		defer close(s.gone)
		return s.member.Run(inCluster)
	})
	group.Go(func() error { return s.keeper.Run(ctx) })
	group.Go(func() error { return s.nodes.Run(ctx) })
	group.Go(func() error { return s.runs.Run(ctx) })
	group.Go(func() error { return s.fleet.Run(ctx) })
	group.Go(func() error { return s.drain.Run(ctx) })
	group.Go(func() error { s.mux.Serve(ctx, s.ears); return nil })
	group.Go(func() error { return s.offers.Run(ctx) })
	group.Go(func() error { return s.page.Run(ctx) })
	group.Go(func() error { return web.Serve(ctx, s.api, s.web.Local(), s.log.Logger) })
	if s.http != nil {
		group.Go(func() error { return web.Serve(ctx, s.http, s.web.Remote(), s.log.Logger) })
	}
	group.Go(func() error {
		return telemetry.Run(ctx, telemetry.Config{
			Statsd: s.cfg.Telemetry.Statsd, Statsite: s.cfg.Telemetry.Statsite, Meter: s.meter, Logger: s.log.Logger,
		})
	})
	for _, ln := range s.rpcs {
		group.Go(func() error { return s.rpc.Serve(ctx, ln) })
	}
	err := group.Wait()
	s.log.Info("stopped")
	return err
}

// heed does what signals ask for.
func (s *services) heed(ctx context.Context, signals <-chan os.Signal, stop context.CancelCauseFunc) {
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
			if sig == syscall.SIGINT && s.cfg.Leave.OnInterrupt || sig == syscall.SIGTERM && s.cfg.Leave.OnTerminate {
				cause = nil
			}
			stopped = time.Now()
			s.log.Info("stopping", "signal", sig.String(), "leave", cause == nil)
			stop(cause)
		}
	}
}

// depart leaves the cluster because a client asks for it. It returns when
// that is done; the rest then stops by itself.
func (s *services) depart() {
	s.log.Info("stopping", "asked_by", "a client of the RPC", "leave", true)
	s.part(nil)
	<-s.gone
}

// stats is what `info` shows, with the event handlers, of which the node does
// not know, as Serf's agent lists them: the last one of each filter.
func (s *services) stats() map[string]map[string]string {
	stats, scripts := s.node.Stats(), map[string]string{}
	for _, handler := range *s.handlers.Load() {
		for _, filter := range handler.On {
			scripts[filter.Type+":"+filter.Name] = handler.Script
		}
	}
	stats["event_handlers"] = scripts
	return stats
}

// reload reads of the configuration what can change while the agent runs, and
// the rules again, as `muster reload` does.
func (s *services) reload(ctx context.Context) {
	s.reconfigure(ctx)
	if _, err := s.keeper.Reload(ctx); err != nil {
		s.log.Error(fmt.Sprintf("cannot reload the rules: %v", err))
	}
}
