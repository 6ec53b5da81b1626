package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/rpc"
	"muster/web"
)

// offlineFlags let a command do its work here instead of asking a running
// agent: on a list of members, or on those that a Serf agent knows.
type offlineFlags struct {
	rpcAddr string
	rpcAuth string
	members string
	self    string
	config  config.Flags
}

func (f *offlineFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.members, "members", "", "`FILE` of members in JSON, as muster members --json prints them, instead of a running agent; - reads standard input")
	flags.StringVar(&f.self, "self", "", "with --members, `NAME` of the member that is this node (default this node's, as the agent's would be)")
	flags.StringVar(&f.rpcAddr, "rpc-addr", "", "`ADDRESS` of a Serf agent's RPC: do it here, with the members it knows, instead of asking a muster agent")
	flags.StringVar(&f.rpcAuth, "rpc-auth", "", "`KEY` that the Serf agent's RPC demands; also SERF_RPC_AUTH")
	f.config.AddPathFlags(flags)
}

func (f *offlineFlags) given() bool { return f.members != "" || f.rpcAddr != "" }

// attachLimit is how long a Serf agent may take to tell its members.
const attachLimit = time.Minute

// attachPatience is how long one waits without being told for what. Where all
// is well the members are known after a second.
const attachPatience = 3 * time.Second

// ask returns the membership as a Serf agent knows it, once that has settled:
// an agent that has just started may know only itself. Who waits for that is
// told on err.
func (f *offlineFlags) ask(ctx context.Context, err io.Writer) (cluster.View, error) {
	patience := time.AfterFunc(attachPatience, func() {
		fmt.Fprintf(err, "Waiting for the Serf agent at %s to know its members: one that lists nobody else alive is believed after 30 s.\n", f.rpcAddr)
	})
	defer patience.Stop()
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	return rpc.Look(ctx, rpc.AttachConfig{Addr: f.rpcAddr, AuthKey: cmp.Or(f.rpcAuth, os.Getenv("SERF_RPC_AUTH"))})
}

// read reads the list of members.
func (f *offlineFlags) read() ([]cluster.Member, error) {
	in, from := io.Reader(os.Stdin), "standard input"
	if f.members != "-" {
		file, err := os.Open(f.members)
		if err != nil {
			return nil, fmt.Errorf("cannot read the members: %w", err)
		}
		defer file.Close()
		in, from = file, f.members
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("cannot read the members: %w", err)
	}
	var members []cluster.Member
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("cannot read the members from %s: it is no list as `muster members --json` prints it: %w", from, err)
	}
	return members, nil
}

// openOffline reads rules and members. The result is used without a cluster.
func (a *app) openOffline(ctx context.Context, f offlineFlags) (*agent.Offline, error) {
	if f.members != "" && f.rpcAddr != "" {
		return nil, errors.New("cannot take the members from two places: leave out --members or --rpc-addr")
	}
	cfg, problems := config.Load(f.config)
	if problems.HasErrors() {
		return nil, a.printProblems(a.err, problems)
	}
	program, _, problems := agent.Compile(cfg.Rules.Dir)
	if err := a.printProblems(a.err, problems); err != nil {
		return nil, err
	}
	if f.rpcAddr != "" {
		view, err := f.ask(ctx, a.err)
		if err != nil {
			return nil, err
		}
		if f.self != "" {
			view.Self = f.self
		}
		return agent.NewOffline(program, view, cfg.State.Dir), nil
	}
	members, err := f.read()
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	self := cmp.Or(f.self, cfg.Cluster.Name, host)
	if !slices.ContainsFunc(members, func(m cluster.Member) bool { return m.Name == self }) {
		fmt.Fprintf(a.err, "No member of the list is called %q, as this node is: say which one it is with --self.\n", self)
	}
	view, err := agent.OfflineView(self, members)
	if err != nil {
		return nil, err
	}
	return agent.NewOffline(program, view, cfg.State.Dir), nil
}

// openRules takes the rules from the disk, and the members from the list
// or from the agent; then the rules are the agent's unless others are named.
func (a *app) openRules(cmd *cobra.Command, offline offlineFlags) (*agent.Offline, error) {
	if offline.given() {
		return a.openOffline(cmd.Context(), offline)
	}
	client := web.NewClient(socketPath(a.socket))
	status, err := client.Status(cmd.Context())
	if err != nil {
		return nil, fmt.Errorf("%w, or give a list of members with --members", err)
	}
	members, err := client.Members(cmd.Context())
	if err != nil {
		return nil, err
	}
	cfg, problems := config.Load(offline.config)
	if err := a.printProblems(a.err, problems); err != nil {
		return nil, err
	}
	dir := cfg.Rules.Dir
	if !namesRules(cmd) {
		dir = status.Dir
	}
	program, _, problems := agent.Compile(dir)
	if err := a.printProblems(a.err, problems); err != nil {
		return nil, err
	}
	view, err := agent.OfflineView(status.Node.Name, members)
	if err != nil {
		return nil, err
	}
	return agent.NewOffline(program, view, cfg.State.Dir), nil
}

// namesRules reports whether the command line says which rules are meant.
func namesRules(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("rules") || cmd.Flags().Changed("config")
}
