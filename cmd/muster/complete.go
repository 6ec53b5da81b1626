package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/cluster"
	"muster/rpc"
	"muster/web"
)

// completeLimit is how long a shell waits for the names of rules.
const completeLimit = time.Second

// completesRules has the shell complete a command's arguments with the names
// of the running agent's rules.
func (a *app) completesRules(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return slices.DeleteFunc(a.ruleNames(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// completesName has it complete the one argument with the names of rules and
// members.
func (a *app) completesName(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return append(a.ruleNames(), a.memberNames()...), cobra.ShellCompDirectiveNoFileComp
	}
}

// completesMember has it complete the first n arguments with the names of
// members.
func (a *app) completesMember(cmd *cobra.Command, n int) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.rpcMemberNames(cmd), cobra.ShellCompDirectiveNoFileComp
	}
}

// completesFlag has it complete the value of a flag with them.
func (a *app) completesFlag(cmd *cobra.Command, flag string) {
	completesFlagWith(cmd, flag, func() []string { return a.rpcMemberNames(cmd) })
}

// completesFlagWith has it complete the value of a flag with names.
func completesFlagWith(cmd *cobra.Command, flag string, names func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return names(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // there is no such flag
	}
}

// completesFile has it complete the value of a flag with files of these
// endings.
func completesFile(cmd *cobra.Command, flag string, endings ...string) {
	if err := cmd.MarkFlagFilename(flag, endings...); err != nil {
		panic(err) // there is no such flag
	}
}

// rpcMemberNames asks whichever agent the command would ask.
func (a *app) rpcMemberNames(cmd *cobra.Command) []string {
	return asked(func(ctx context.Context) ([]rpc.Member, error) {
		client, err := a.dial(ctx, cmd)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		return client.Members(ctx, rpc.Filter{})
	}, func(m rpc.Member) string { return m.Name })
}

// ruleNames asks the agent.
func (a *app) ruleNames() []string {
	return asked(func(ctx context.Context) ([]agent.RuleStatus, error) {
		status, err := web.NewClient(socketPath(a.socket)).Status(ctx)
		return status.Rules, err
	}, func(r agent.RuleStatus) string { return r.Rule })
}

// memberNames asks the agent, too.
func (a *app) memberNames() []string {
	return asked(web.NewClient(socketPath(a.socket)).Members, func(m cluster.Member) string { return m.Name })
}

// asked returns the names of what an agent lists. Without an agent there is
// nothing to complete.
func asked[T any](list func(context.Context) ([]T, error), name func(T) string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completeLimit)
	defer cancel()
	all, err := list(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}
