package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/command"
	"muster/config"
	"muster/doctor"
	"muster/human"
	"muster/nodes"
	"muster/rpc"
	"muster/web"
)

func (a *app) doctorCommand() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "doctor [NODE|ADDR[:PORT]]...",
		Short: "Find out why a cluster does not come together, and what to do",
		Long: `Examine this machine, the agent that runs on it, and the way to other nodes: to
those named, else to those that the agent cannot reach or is to join. Each
finding comes with its remedy. It works with and without a running agent, takes
what ` + "`muster agent`" + ` takes, changes nothing and joins nothing.

Over the way to a node it tells blocked UDP from blocked TCP, another key from
another program, and a node from nobody.

The exit code is 1 if there is a problem; warnings are none.`,
		Example: `  muster doctor
  muster doctor web2
  muster doctor 10.0.0.2 --config /etc/muster/muster.hcl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, to []string) error {
			cfg, problems := loadConfig(flags)
			found := doctor.Examine(cmd.Context(), examined(cfg, doctor.Config{Config: cfg, Problems: problems, To: to}))
			if err := a.printFindings(found); err != nil || found.Healthy() {
				return err
			}
			return exit{code: exitFailed}
		},
	}
	flags.Add(cmd.Flags())
	a.printsJSON(cmd)
	return cmd
}

// examined gives c the ways to ask the running agent and the service manager.
func examined(cfg config.Config, c doctor.Config) doctor.Config {
	client := web.NewClient(cfg.HTTP.Socket)
	c.Status, c.Members = client.Status, client.Members
	c.Nodes = func(ctx context.Context) (nodes.Report, error) { return client.Nodes(ctx, nodesWait) }
	c.Keys = func(ctx context.Context) (cluster.KeyReport, error) {
		asked, err := rpc.Dial(ctx, "unix:"+rpcSocketPath(cfg.HTTP.Socket), rpc.Options{AuthKey: cfg.RPC.AuthKey})
		if err != nil {
			return cluster.KeyReport{}, err
		}
		defer asked.Close()
		return asked.ListKeys(ctx)
	}
	// The directory is how one tells that systemd runs (sd_booted(3)).
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		c.Unit = unit
	}
	return c
}

// unit asks systemd for the properties of muster's unit: of the two that there
// are, the one that is in use.
func unit(ctx context.Context) (map[string]string, error) {
	r := command.Run(ctx, command.Command{
		Argv: []string{"systemctl", "show", "muster.service", "muster-unprivileged.service", "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,WatchdogUSec"},
		Env:  command.BaseEnv(nil), Timeout: 5 * time.Second, KeepStdout: 4096,
	})
	switch {
	case r.Err != nil:
		return nil, r.Err
	case !r.OK():
		return nil, errors.New("systemctl failed: " + strings.TrimSpace(string(r.Output)))
	}
	return inUse(string(r.Stdout)), nil
}

// inUse returns the properties of the first unit that is not inactive, or of
// the first one, given those of several as systemctl prints them, apart by empty
// lines.
func inUse(shown string) map[string]string {
	var first map[string]string
	for block := range strings.SplitSeq(strings.TrimSpace(shown), "\n\n") {
		properties := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			properties[name] = value
		}
		if properties["ActiveState"] != "inactive" {
			return properties
		}
		if first == nil {
			first = properties
		}
	}
	return first
}

// levelColors are those of the levels.
var levelColors = map[doctor.Level]string{doctor.OK: green, doctor.Warning: yellow, doctor.Problem: red, doctor.Skipped: cyan}

// printFindings prints a line for each finding, its remedy below it, and at
// the end how many there are.
func (a *app) printFindings(found doctor.Findings) error {
	if a.json {
		return a.printJSON(found)
	}
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	paint, wide := painter(color), 0
	for _, f := range found {
		wide = max(wide, len(f.Check))
	}
	for _, f := range found {
		fmt.Fprintf(a.out, "%s  %-*s  %s\n", paint(levelColors[f.Level], fmt.Sprintf("%-7s", f.Level)), wide, f.Check, printable(f.Text))
		if f.Remedy != "" {
			fmt.Fprintf(a.out, "%*s  → %s\n", len("problem")+2+wide, "", printable(strings.Join(strings.Fields(f.Remedy), " ")))
		}
	}
	var parts []string
	for _, l := range doctor.Levels {
		n := found.Count(l)
		if l == doctor.Problem || l == doctor.Warning {
			parts = append(parts, human.Count(n, string(l)))
		} else {
			parts = append(parts, fmt.Sprintf("%d %s", n, l))
		}
	}
	_, err = fmt.Fprintf(a.out, "\n%s\n", strings.Join(parts, ", "))
	return err
}
