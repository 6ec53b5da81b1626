package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/reconcile"
	"muster/web"
)

// waitEvery is how often wait looks.
const waitEvery = 100 * time.Millisecond

func (a *app) waitCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait RULE",
		Short: "Wait until a rule is in sync",
		Long: `Wait until the agent's rule is in sync with the membership as the agent knows it:
what it wants is on disk, the service has loaded it, and nothing is on its way.
After --timeout the exit code is 1, and the reason is said.`,
		Example: "  muster wait web --timeout 10s",
		Args:    one("the name of a rule"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usage(cmd, errors.New("--timeout must be more than nothing"))
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			client := web.NewClient(socketPath(a.socket))
			for end := time.Now().Add(timeout); ; {
				rule, err := client.ExplainRule(ctx, args[0])
				switch {
				case ctx.Err() != nil:
					return errors.New("interrupted")
				case err != nil:
					return err
				case rule.Acting != nil:
					return fmt.Errorf("cannot wait for %s: it acts on events, and keeps no file", args[0])
				case rule.State == reconcile.InSync && !rule.Busy:
					if a.json {
						return a.printJSON(rule.RuleStatus)
					}
					return nil
				case !time.Now().Before(end):
					return fmt.Errorf("%s is not in sync after %s: %s", args[0], timeout, waitReason(rule.RuleStatus))
				}
				select {
				case <-ctx.Done():
				case <-time.After(min(waitEvery, max(time.Until(end), 0))):
				}
			}
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", drainTimeout, "how `LONG` to wait")
	a.asksAgent(cmd)
	a.completesRules(cmd)
	a.printsJSON(cmd)
	return cmd
}

// waitReason says why a rule is not in sync.
func waitReason(r agent.RuleStatus) string {
	switch {
	case r.State == reconcile.InSync:
		return "a change is on its way into the files"
	case r.Why == "":
		return "it is " + string(r.State)
	}
	return fmt.Sprintf("it is %s: %s", r.State, printable(r.Why))
}
