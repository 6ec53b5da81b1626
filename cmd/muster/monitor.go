package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"muster/cluster"
	"muster/logs"
	"muster/rpc"
)

func (a *app) monitorCommand() *cobra.Command {
	var level string
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Follow an agent's log and events",
		Long: `Print the last lines of a running agent's log, then what it logs and what events
it hears, as they come, until Ctrl-C. The level may be lower than the one that
the agent itself logs at.`,
		Example: `  muster monitor --log-level debug`,
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			least, err := logs.ParseLevel(level)
			if err != nil {
				return usage(cmd, fmt.Errorf("cannot use --log-level: %w", err))
			}
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return a.monitor(cmd.Context(), client, logs.LevelName(least))
		},
	}
	cmd.Flags().StringVar(&level, "log-level", "info", "print what is logged at `LEVEL` and above: trace, debug, info, warn or err")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// monitor prints both streams until a signal, which is no error.
func (a *app) monitor(ctx context.Context, client *rpc.Client, level string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	events, err := client.Stream(ctx, "*")
	if err != nil {
		return err
	}
	defer events.Close()
	lines, err := client.Monitor(ctx, level)
	if err != nil {
		return err
	}
	defer lines.Close()
	var turn sync.Mutex
	show := func(m monitored) error {
		turn.Lock()
		defer turn.Unlock()
		return a.show(m)
	}
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error {
		return follow(both, lines.Next, func(line string) error { return show(monitored{Log: line}) })
	})
	group.Go(func() error {
		return follow(both, events.Next, func(e cluster.Event) error { return show(monitored{Event: newMonitoredEvent(e)}) })
	})
	err = group.Wait()
	switch {
	case ctx.Err() != nil:
		return nil
	case client.Err() != nil:
		return fmt.Errorf("the agent ended the connection, which mostly means that it has stopped: %w", client.Err())
	}
	return err
}

// follow takes one after another until there is an error.
func follow[T any](ctx context.Context, next func(context.Context) (T, error), take func(T) error) error {
	for {
		one, err := next(ctx)
		if err != nil {
			return err
		}
		if err := take(one); err != nil {
			return err
		}
	}
}

// monitored is a line of JSON: of the log, or an event.
type monitored struct {
	Log   string          `json:"log,omitempty"`
	Event *monitoredEvent `json:"event,omitempty"`
}

type monitoredEvent struct {
	Type     string           `json:"type"`
	Name     string           `json:"name,omitempty"`
	Payload  []byte           `json:"payload,omitempty"` // base64
	LTime    uint64           `json:"ltime,omitempty"`
	Coalesce bool             `json:"coalesce,omitempty"`
	Members  []cluster.Member `json:"members,omitempty"`
}

func newMonitoredEvent(e cluster.Event) *monitoredEvent {
	return &monitoredEvent{e.Type, e.Name, e.Payload, e.LTime, e.Coalesce, e.Members}
}

// show prints one thing.
func (a *app) show(m monitored) error {
	if a.wantsJSON() {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = a.out.Write(append(visible(text), '\n'))
		return err
	}
	text := plain(m.Log)
	if m.Event != nil {
		text = m.Event.String()
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// String is the event in lines, like those of Serf's command.
func (e *monitoredEvent) String() string {
	text := []string{"Event Info:", fmt.Sprintf("\tEvent: %q", e.Type)}
	switch e.Type {
	case cluster.EventUser, cluster.EventQuery:
		text = append(text, fmt.Sprintf("\tLTime: %d", e.LTime), fmt.Sprintf("\tName: %q", e.Name), fmt.Sprintf("\tPayload: %q", e.Payload))
		if e.Type == cluster.EventUser {
			text = append(text, fmt.Sprintf("\tCoalesce: %t", e.Coalesce))
		}
	default:
		for _, m := range e.Members {
			text = append(text, fmt.Sprintf("\tMember: %s %s %s %s", plain(m.Name), m.Addr, m.Status, plain(tagList(m))))
		}
	}
	return strings.TrimRight(strings.Join(text, "\n"), " ")
}
