package main

import (
	"fmt"

	"muster/agent"
	"muster/command"
	"muster/config"
	"muster/publisher"
)

// printPublished prints a table of the services that the configuration names.
func (a *app) printPublished(s agent.Status) {
	if s.Services == nil || len(s.Services.Each) == 0 {
		return
	}
	fmt.Fprintln(a.out)
	t := newTable(a.out, "SERVICE", "STATE", "SINCE", "TYPE", "PORT")
	for _, one := range s.Services.Each {
		t.row(one.Name, string(one.State), ago(one.Since), one.Type, one.Port)
	}
	t.flush()
	for _, one := range s.Services.Each {
		if one.Why == "" {
			continue
		}
		fmt.Fprintf(a.out, "\nservice %s is %s: %s\n", printable(one.Name), one.State, printable(one.Why))
		if one.Check != nil && one.Check.Output != "" && !one.Check.OK {
			fmt.Fprintf(a.out, "  | %s\n", printable(one.Check.Output))
		}
	}
	if s.Services.Problem != "" {
		fmt.Fprintf(a.out, "\nservices cannot be published: %s\n", printable(s.Services.Problem))
	}
}

// wanted is what a configuration has published.
func wanted(cfg config.Config) publisher.Wanted {
	w := publisher.Wanted{Cloud: cfg.CloudName()}
	for _, s := range cfg.Services {
		one := publisher.Service{Name: s.Name, Interval: s.Interval, Failures: s.Failures, Passes: s.Passes}
		one.Service, _ = s.Published() // it has been checked with the configuration
		if len(s.Check) > 0 {
			one.Check = &command.Command{Argv: s.Check, Env: command.BaseEnv(nil), Timeout: s.Timeout, User: s.User}
		}
		w.Services = append(w.Services, one)
	}
	return w
}
