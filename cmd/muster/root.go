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
	format   string // text, json or empty
	rpcAddr  string
	rpcAuth  string
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
First rules:  muster init
Start it:     muster agent`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
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
	root.SetVersionTemplate(versionLine())
	root.SetHelpCommand(helpCommand())
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour the output `WHEN`: auto, always or never")
	group(root, "muster", "Commands:",
		a.agentCommand(), a.initCommand(), a.validateCommand(), a.testCommand(), a.fmtCommand(), a.planCommand(), a.applyCommand(), a.renderCommand(),
		a.statusCommand(), a.waitCommand(), a.explainCommand(), a.timelineCommand(), a.reloadCommand(),
		a.nodesCommand(), a.fleetCommand(), a.doctorCommand(), a.drainCommand(true), a.drainCommand(false),
		a.inventoryCommand(), a.launchCommand(), a.serviceCommand(),
		a.keygenCommand(), a.demoCommand(), a.versionCommand(),
	)
	group(root, "serf", "Commands of Serf, for agents of muster and of Serf:",
		a.membersCommand(), a.eventCommand(), a.queryCommand(), a.sendCommand(), a.tagsCommand(), a.joinCommand(), a.leaveCommand(),
		a.forceLeaveCommand(), a.monitorCommand(), a.infoCommand(), a.rttCommand(), a.reachabilityCommand(), a.keysCommand(),
	)
	root.AddCommand(forPackagers()...)
	root.SetHelpCommandGroupID("muster")
	root.SetCompletionCommandGroupID("muster")
	root.InitDefaultCompletionCmd("completion")
	strict(root)
	return root
}

// group adds commands, which --help lists under a title.
func group(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = id
	}
	root.AddCommand(commands...)
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
