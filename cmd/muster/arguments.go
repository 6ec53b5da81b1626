package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes wrong arguments a usage error, like wrong flags, for a command
// and those below it.
func strict(cmd *cobra.Command) {
	check := cmd.Args
	if cmd.RunE == nil && cmd.Run == nil { // a command that only has others
		check, cmd.RunE = known, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// known refuses what is no command, and says which one may be meant.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		// what is only not complete goes before what is spelled alike
		begun := slices.IndexFunc(similar, func(s string) bool { return strings.HasPrefix(s, args[0]) })
		err = fmt.Errorf("%w; did you mean %q?", err, similar[max(begun, 0)])
	}
	return err
}

// none refuses arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown argument %q: %s takes none", args[0], cmd.CommandPath())
}

// one wants exactly one argument, and says what it is.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("missing argument: " + what)
		}
		return atMostOne(what)(cmd, args)
	}
}

// atMostOne wants one argument or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("unknown argument %q: only one is taken, %s", args[1], what)
		}
		return nil
	}
}

// helpCommand is `muster help`, which for an unknown command is a usage error
// too.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && about.HasSubCommands() {
				err = known(about, rest)
			}
			if err != nil {
				return usage(cmd.Root(), err)
			}
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				if c.IsAvailableCommand() && len(args) == 0 {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
