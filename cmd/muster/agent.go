package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"muster/actions"
	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/publisher"
	"muster/rpc"
	"muster/rules"
	"muster/telemetry"
	"muster/timeline"
	"muster/web"
)

// eventBacklog is how many events may wait to be taken in. Members are not
// taken from events, so that only what rules act on could be missed; status
// says how many were.
const eventBacklog = 1024

func (a *app) agentCommand() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent: join the cluster, keep files in step, act on events",
		Long: `Run the agent in the foreground. It joins the cluster, and from then on keeps
the files of every rule in step with the live members, and acts on events. It
takes what serf agent takes, and answers Serf's own commands; with --attach it
follows a Serf agent that runs already instead of joining.

SIGHUP reads the rules again, and of the configuration the log level, the
tags and the event handlers. SIGINT and SIGTERM leave the cluster and stop
within ten seconds; a second one stops at once.`,
		Example: `  muster agent --bind 10.0.0.1 --join 10.0.0.2 --tag role=lb --rules ./rules --state ./state --socket ./run
  muster agent -config-dir /etc/serf/conf.d -event-handler user:deploy=deploy.sh
  muster agent --attach 127.0.0.1:7373`,
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
	cfg, problems := loadConfig(flags)
	if err := a.printProblems(a.err, problems); err != nil {
		return err
	}
	log, err := openLog(a.err, cfg.Log)
	if err != nil {
		return err
	}
	defer log.close()
	s, err := assemble(cfg, log)
	if err != nil {
		return err
	}
	s.flags, s.cfg = flags, cfg
	if err := s.listen(); err != nil {
		s.unlisten()
		return err
	}
	if cfg.Log.Format == "text" { // who reads JSON gets nothing but JSON, wherever it goes
		fmt.Fprint(a.out, newBanner(cfg, s.member.Info(), s.addresses(), s.httpURL()))
	}
	return s.run(ctx)
}

// loadConfig reads the configuration of an agent.
func loadConfig(flags config.Flags) (config.Config, rules.Problems) {
	cfg, problems := config.Load(flags)
	cfg.HTTP.Socket = socketPath(cmp.Or(cfg.HTTP.Socket, defaultSocket()))
	// Commands that the agent runs find it there, wherever they are run.
	if path, err := filepath.Abs(cfg.HTTP.Socket); err == nil {
		cfg.HTTP.Socket = path
	}
	return cfg, problems
}

// assemble makes what an agent consists of. Nothing happens on the network.
func assemble(cfg config.Config, log *agentLog) (*services, error) {
	s := &services{log: log, meter: telemetry.NewMeter(), past: timeline.New(timelineSize)}
	s.handlers.Store(&cfg.Handlers)
	keys := trusted(cfg.TrustedKeys, log.Logger)
	runner, err := actions.Open(actions.Config{
		StateDir: cfg.State.Dir, Logger: log.Logger, Trusted: keys,
		MaxAge: cfg.EventMaxAge, Socket: cfg.HTTP.Socket, HandlerTimeout: cfg.HandlerTimeout, Timeline: s.past,
		Send: func(ctx context.Context, name string, payload []byte) error {
			return s.member.Send(ctx, name, payload, false) // each of several is to be acted on
		},
	})
	if err != nil {
		return nil, err
	}
	if err := s.join(cfg, runner.Clock()); err != nil {
		return nil, err
	}
	if err := s.watchNodes(cfg); err != nil {
		return nil, err
	}
	s.offers = publisher.New(publisher.Config{View: s.member.View, SetTags: s.member.SetTags, Logger: log.Logger, Wanted: wanted(cfg)})
	if err := s.takeOrders(cfg, keys); err != nil {
		return nil, err
	}
	events := s.member.Subscribe(eventBacklog)
	if s.keeper, err = agent.New(agent.Config{
		Source: s.member, Events: events.C, Lost: events.Lost, Info: s.member.Info, Send: s.member.Send,
		Actions: runner, Handlers: cfg.Handlers, HandlersDir: cfg.HandlersDir, InsecureGossip: cfg.InsecureGossip,
		RulesDir: cfg.Rules.Dir, RulesOptional: cfg.Rules.Dir == config.DefaultRulesDir, StateDir: cfg.State.Dir, Resync: cfg.Rules.Resync,
		Logger: log.Logger, Notify: notify(log.Logger), Watchdog: watchdogInterval(), Version: version(), Services: s.offers.Report, Timeline: s.past,
	}); err != nil {
		return nil, err
	}
	return s, s.watchFleet()
}

// join makes the membership: a node of our own, with Serf's RPC to serve, or
// an agent to follow.
func (s *services) join(cfg config.Config, since uint64) (err error) {
	if cfg.Attach != "" {
		s.member, err = rpc.Attach(rpc.AttachConfig{Addr: cfg.Attach, AuthKey: cfg.RPC.AuthKey, Logger: s.log.Logger})
		return err
	}
	cfg.Cluster.Logger, cfg.Cluster.Since = s.log.Logger, since
	s.node, err = cluster.Join(cfg.Cluster)
	if err != nil {
		return err
	}
	s.member = s.node
	s.rpc = rpc.NewServer(rpc.ServerConfig{
		Node: s.node, AuthKey: cfg.RPC.AuthKey, Leave: s.depart, Logs: s.log.lines, Logger: s.log.Logger, Info: s.stats,
	})
	return nil
}

// listen opens what the agent listens on besides gossip: the API's socket,
// and for a node of our own a socket and an address for Serf's RPC.
func (s *services) listen() (err error) {
	cfg := s.cfg
	api := web.Socket{Path: cfg.HTTP.Socket, Mode: cfg.HTTP.Mode, Group: cfg.HTTP.Group}
	if s.api, err = api.Listen(); err != nil {
		return err
	}
	if err := s.listenHTTP(); err != nil || s.rpc == nil {
		return err
	}
	api.Path = rpcSocketPath(api.Path)
	ln, err := api.Listen()
	if err != nil {
		return err
	}
	s.rpcs = []net.Listener{ln}
	if cfg.RPC.Addr == config.Off {
		return nil
	}
	ln, err = rpc.Listen(cfg.RPC.Addr, cfg.RPC.AuthKey)
	switch {
	case err == nil:
		s.rpcs = append(s.rpcs, ln)
	case cfg.RPC.Explicit && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another agent? choose another address with rpc_addr, or \"off\"", err)
	case cfg.RPC.Explicit:
		return err
	default:
		s.log.Warn("Serf's RPC is served on the socket alone: say where else with rpc_addr, or \"off\"", "socket", api.Path, "error", err)
	}
	return nil
}

// addresses lists where Serf's RPC is served.
func (s *services) addresses() []string {
	var all []string
	for _, ln := range s.rpcs {
		addr := ln.Addr().String()
		if ln.Addr().Network() == "unix" {
			addr = "unix:" + addr
		}
		all = append(all, addr)
	}
	return all
}

// unlisten closes what listen opened, and gives the state directory back.
func (s *services) unlisten() {
	for _, ln := range append(s.rpcs, s.api, s.http) {
		if ln != nil {
			ln.Close()
		}
	}
	if err := s.keeper.Close(); err != nil {
		s.log.Error(err.Error())
	}
}
