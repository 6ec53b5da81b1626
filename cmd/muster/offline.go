package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

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
	flags.StringVar(&f.self, "self", "", "with --members, `NAME` of the member that is this node (default this node's, as the agent's would be)")
	f.config.AddPathFlags(flags)
}

func (f *offlineFlags) given() bool { return f.members != "" }

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
func (a *app) openOffline(f offlineFlags) (*agent.Offline, error) {
	cfg, problems := config.Load(f.config)
	if problems.HasErrors() {
		return nil, a.printProblems(a.err, problems)
	}
	program, _, problems := agent.Compile(cfg.Rules.Dir)
	if err := a.printProblems(a.err, problems); err != nil {
		return nil, err
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
