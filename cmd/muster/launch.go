package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muster/launch"
	"muster/metadata"
	"muster/nodes"
	"muster/signing"
	"muster/web"
)

// A launchOrder is what the command line asks for.
type launchOrder struct {
	launch.Order
	dir, keyFile string
	all, dryRun  bool
	timeout      time.Duration
	args         []string // for ansible-playbook
}

func (a *app) launchCommand() *cobra.Command {
	var o launchOrder
	cmd := &cobra.Command{
		Use:   "launch [N] SERVICE [-- ARG...]",
		Short: "Put a service on the least busy nodes, with Ansible",
		Long: `Run a service's Ansible playbook on the N (1) least busy living nodes that do not
have the service on their lists, and put it on the lists of those on which it
succeeded. It is refused where there are fewer such nodes.

With --remove run the playbook that takes the service away, on the N busiest
nodes that have it or on --all, and take it off their lists likewise.

The playbooks are SERVICE.yml and SERVICE.remove.yml. Arguments after -- are for
ansible-playbook. Other nodes change their lists only for a signature of a key
that they trust: --sign. The exit code is 1 if something has not succeeded on
some node.`,
		Example: `  muster launch --dry-run 2 nginx_webserver
  muster launch --sign admin.key 2 nginx_webserver
  muster launch --sign admin.key nginx_webserver -- --user admin --become -K
  muster launch --sign admin.key --remove 1 nginx_webserver`,
		Args: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.read(args, cmd.ArgsLenAtDash()); err != nil {
				return usage(cmd, err)
			}
			return a.launch(cmd, o)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if _, err := strconv.Atoi(slices.Concat(args, []string{"1"})[0]); err != nil || len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names, _ := launch.Services(o.dir, o.Remove) // without a directory there is nothing to complete
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Remove, "remove", false, "take the service off nodes instead, the busiest first")
	flags.BoolVar(&o.all, "all", false, "with --remove: off all that have it")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show which nodes would be picked, and why not the others; do nothing")
	flags.StringVar(&o.dir, "playbooks", launch.DefaultDir, "`DIR` of the playbooks, SERVICE.yml and SERVICE.remove.yml")
	flags.StringVar(&o.keyFile, "sign", "", "sign what is asked of other nodes with the private key in `FILE`, as muster keygen --signing makes one")
	flags.DurationVar(&o.timeout, "timeout", launch.DefaultTimeout, "how `LONG` the playbook may run")
	a.asksRPC(cmd)
	a.printsJSON(cmd)
	if err := cmd.MarkFlagDirname("playbooks"); err != nil {
		panic(err) // there is no such flag
	}
	return cmd
}

// read takes the arguments apart, of which those from dash on are Ansible's.
func (o *launchOrder) read(args []string, dash int) error {
	if dash >= 0 {
		args, o.args = args[:dash], args[dash:]
	}
	counted := len(args) == 2
	o.Count = 1
	switch {
	case counted:
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of nodes", args[0])
		}
		o.Count = n
	case len(args) != 1:
		return errors.New("one or two arguments are taken: on how many nodes, and the name of the service")
	}
	if o.all {
		o.Count = 0
	}
	o.Service = args[len(args)-1]
	switch {
	case o.all && !o.Remove:
		return errors.New("--all is for --remove: say on how many nodes to launch")
	case o.all && counted:
		return errors.New("a number of nodes and --all: leave out one of them")
	case o.timeout <= 0:
		return errors.New("--timeout must be more than nothing")
	}
	return launch.CheckName(o.Service)
}

// launch does what an order asks for: what can fail comes first, and what
// changes a node last.
func (a *app) launch(cmd *cobra.Command, o launchOrder) error {
	rest, secrets, err := launch.ParseArgs(o.args)
	if err != nil {
		return usage(cmd, err)
	}
	playbook, err := launch.Open(o.dir, o.Order)
	if err != nil {
		return err
	}
	defer playbook.Close()
	client := web.NewClient(socketPath(a.socket))
	choice, self, err := a.choose(cmd.Context(), client, o.Order)
	if err != nil {
		return err
	}
	if o.dryRun {
		return errors.Join(a.printLaunch(choice.Report(playbook.Path, nil)), choice.Err())
	}
	if err := errors.Join(choice.Err(), launch.Installed(os.Environ())); err != nil {
		return err
	}
	if err := o.canRegister(choice, self); err != nil {
		return err
	}
	for i := range secrets {
		if secrets[i].Text, err = a.askSecret(secrets[i].Prompt); err != nil {
			return err
		}
	}
	members, err := client.Members(cmd.Context())
	if err != nil {
		return err
	}
	if err := choice.Again(members); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	outcome, err := launch.Run(ctx, launch.Config{
		Choice: choice, Playbook: playbook.Path, Members: members, Args: rest, Secrets: secrets,
		Env: os.Environ(), Timeout: o.timeout, Told: a.tellLaunch(choice),
	})
	stop() // the next Ctrl-C ends this at once
	if err != nil {
		return err
	}
	a.register(cmd, o, self, &outcome)
	report := choice.Report(playbook.Path, &outcome)
	return errors.Join(a.printLaunch(report), a.launchFailures(cmd, o, self, outcome, report))
}

// choose asks who there is and how busy they are, and picks. Nodes that have
// not answered are asked once more where that may change whom.
func (a *app) choose(ctx context.Context, client *web.Client, o launch.Order) (launch.Choice, string, error) {
	report, err := client.Nodes(ctx, nodesWait)
	if err != nil {
		return launch.Choice{}, "", err
	}
	choice := launch.Choose(o, report)
	for end := time.Now().Add(2*report.Every + time.Second); launch.Silent(report, choice.Err() != nil) && time.Now().Before(end); {
		time.Sleep(min(report.Every/4, time.Second))
		if report, err = client.Nodes(ctx, nodesWait); err != nil {
			return choice, "", err
		}
		choice = launch.Choose(o, report)
	}
	switch {
	case !report.Settled:
		return choice, "", errors.New("cannot tell who is there: the agent has only just started, or has found nobody yet; `muster status` says which")
	case report.Problem != "":
		return choice, "", fmt.Errorf("the nodes cannot be asked how busy they are: %s", report.Problem)
	}
	return choice, report.Self, nil
}

// canRegister reports that the lists of the nodes picked could not be changed
// afterwards, as far as that can be told before.
func (o launchOrder) canRegister(c launch.Choice, self string) error {
	if o.keyFile != "" {
		_, err := signing.ReadKey(o.keyFile)
		return err
	}
	if i := slices.IndexFunc(c.Picked, func(n nodes.Node) bool { return n.Name != self }); i >= 0 {
		return fmt.Errorf("cannot change the list of %s from here, which is %s, without a signature: add --sign FILE", plain(c.Picked[i].Name), plain(self))
	}
	return nil
}

// register changes the lists of the nodes on which the playbook has succeeded,
// of this node through the agent's socket.
func (a *app) register(cmd *cobra.Command, o launchOrder, self string, outcome *launch.Outcome) {
	do := metadata.Add
	if o.Remove {
		do = metadata.Remove
	}
	outcome.Register(context.WithoutCancel(cmd.Context()), changeWait+time.Second, func(ctx context.Context, node string) (err error) {
		if node == self {
			_, err = a.changeHere(ctx, do, node, o.Service)
		} else {
			_, err = a.changeThere(cmd, o.keyFile, do, node, o.Service)
		}
		return err
	})
}

// askSecret asks a person for a password. A signal meanwhile ends the process,
// as it would without this, but gives the terminal its echo back.
func (a *app) askSecret(prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("cannot ask for a password: there is no terminal; give it in a file, with --connection-password-file, --become-password-file or --vault-password-file after --")
	}
	defer tty.Close()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for a password: %w", err)
	}
	signals, answered := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	defer close(answered)
	go func() {
		select {
		case <-signals:
			_ = term.Restore(fd, state) // there is nobody left to tell
			os.Exit(exitFailed)
		case <-answered:
		}
	}()
	fmt.Fprint(tty, prompt)
	text, err := term.ReadPassword(fd)
	fmt.Fprintln(tty)
	if err == nil && len(text) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take the password: %w", err)
	}
	return text, nil
}
