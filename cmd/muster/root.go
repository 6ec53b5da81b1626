package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// An app is what every command shares: where to print, and how to find the
// agent.
type app struct {
	out, err io.Writer
	socket   string
	color    string
	json     bool
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	a := &app{out: stdout, err: stderr}
	root := &cobra.Command{
		Use:   "muster",
		Short: "Keep configuration files in step with who is alive",
		Long: `muster follows a Serf cluster's live membership. Rules select members and
render templates from them; what changed is checked, swapped in as one
transaction, and the service reloaded. What fails is rolled back.

See it work:  muster demo
Start it:     muster agent`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          known,
		// A mistake in --color is told before anything is done.
		PersistentPreRunE: func(*cobra.Command, []string) error {
			_, err := a.colored(a.out)
			return err
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(usage)
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour the output `WHEN`: auto, always or never")
	root.AddCommand(
		a.agentCommand(), a.validateCommand(), a.fmtCommand(), a.planCommand(), a.applyCommand(),
		a.renderCommand(), a.statusCommand(), a.explainCommand(), a.membersCommand(), a.reloadCommand(),
		a.demoCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd("completion")
	strict(root)
	return root
}

// known refuses what is no command, and says which one may be meant.
func known(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, similar[0])
	}
	return err
}

// strict makes wrong arguments a usage error, like wrong flags, for a command
// and those below it.
func strict(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
	if cmd.RunE == nil && cmd.Run == nil { // without, arguments are not looked at
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// asksAgent gives a command the flags to find a running agent.
func (a *app) asksAgent(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.socket, "socket", defaultSocket(), "`PATH` of the agent's socket, or of the directory it is in; also MUSTER_SOCKET")
}

// printsJSON gives a command the flag --json.
func (a *app) printsJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
}

// The name of the socket in its directory.
const socketName = "api.sock"

// defaultSocket is where the agent listens and the other commands find it:
// MUSTER_SOCKET, else /run/muster, or for a user who is not root and has no
// such directory the user's own runtime directory.
func defaultSocket() string {
	if path := os.Getenv("MUSTER_SOCKET"); path != "" {
		return path
	}
	const system = "/run/muster"
	if os.Geteuid() == 0 {
		return filepath.Join(system, socketName)
	}
	if _, err := os.Stat(system); err == nil {
		return filepath.Join(system, socketName)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "muster", socketName)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("muster-%d", os.Geteuid()), socketName)
}

// socketPath is path, or the socket in it where it is a directory.
func socketPath(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, socketName)
	}
	return path
}
