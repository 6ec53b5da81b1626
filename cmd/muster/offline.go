package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"muster/agent"
	"muster/cluster"
	"muster/config"
)

// offlineFlags let a command work on a list of members instead of asking a
// running agent.
type offlineFlags struct {
	members string
	self    string
	config  config.Flags
}

func (f *offlineFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.members, "members", "", "`FILE` of members in JSON, as muster members --json prints them, instead of a running agent; - reads standard input")
	flags.StringVar(&f.self, "self", "", "with --members, `NAME` of the member that is this node (default the host's name)")
	f.config.AddPathFlags(flags)
}

func (f *offlineFlags) given() bool { return f.members != "" }

// view reads the list of members.
func (f *offlineFlags) view() (cluster.View, error) {
	in := io.Reader(os.Stdin)
	if f.members != "-" {
		file, err := os.Open(f.members)
		if err != nil {
			return cluster.View{}, fmt.Errorf("cannot read the members: %w", err)
		}
		defer file.Close()
		in = file
	}
	var members []cluster.Member
	if err := json.NewDecoder(in).Decode(&members); err != nil {
		return cluster.View{}, fmt.Errorf("cannot read the members in %s: %w: expected a list as `muster members --json` prints it", f.members, err)
	}
	self := f.self
	if self == "" {
		self, _ = os.Hostname()
	}
	return agent.OfflineView(self, members)
}

// openOffline reads rules and members. The result is used without a cluster.
func (a *app) openOffline(f offlineFlags) (*agent.Offline, error) {
	cfg, problems := config.Load(f.config)
	if problems.HasErrors() {
		return nil, a.printProblems(a.err, problems)
	}
	program, _, problems := agent.Compile(cfg.Rules.Dir)
	if err := a.printProblems(a.err, problems); err != nil {
		return nil, err
	}
	view, err := f.view()
	if err != nil {
		return nil, err
	}
	return agent.NewOffline(program, view, cfg.State.Dir), nil
}
