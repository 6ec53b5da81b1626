package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muster/rpc"
	"muster/signing"
)

func (a *app) eventCommand() *cobra.Command {
	var coalesce bool
	var keyFile string
	cmd := &cobra.Command{
		Use:   "event NAME [PAYLOAD]",
		Short: "Send a user event to every node",
		Long: `Send a user event through the cluster. Every node hears it; rules and handlers
for user:NAME act on it, and get the payload.

Gossip does not say who sent an event. With --sign it carries a signature, which
rules with signature = "required" demand.`,
		Example: `  muster event deploy v2.1
  muster event --coalesce=false restart
  muster event --sign deploy.key deploy v2.1`,
		Args: nameAndPayload("event"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return a.sendEvent(cmd.Context(), client, outgoing{args[0], payload(args), coalesce, keyFile})
		},
	}
	cmd.Flags().BoolVar(&coalesce, "coalesce", true, "of several events of this name within a second, only the last need be acted on")
	cmd.Flags().StringVar(&keyFile, "sign", "", "sign it with the private key in `FILE`, as muster keygen --signing makes one")
	a.asksRPC(cmd)
	a.printsFormats(cmd)
	return cmd
}

// An outgoing is a user event to be sent.
type outgoing struct {
	name     string
	payload  []byte
	coalesce bool
	keyFile  string // to sign it with; empty: not signed
}

// sealed is the payload to gossip.
func (o outgoing) sealed() ([]byte, error) {
	if o.keyFile == "" {
		return o.payload, nil
	}
	key, err := signing.ReadKey(o.keyFile)
	if err != nil {
		return nil, err
	}
	return key.Sign(o.name, o.payload, time.Now())
}

// sendEvent sends a user event and says so.
func (a *app) sendEvent(ctx context.Context, client *rpc.Client, o outgoing) error {
	payload, err := o.sealed()
	if err != nil {
		return err
	}
	if err := client.Event(ctx, o.name, payload, o.coalesce); err != nil {
		return err
	}
	return a.print(map[string]any{"event": o.name, "coalesce": o.coalesce, "signed": o.keyFile != "", "bytes": len(payload)},
		fmt.Sprintf("Event '%s' dispatched! Coalescing enabled: %t", plain(o.name), o.coalesce))
}

// nameAndPayload wants the name of what is sent, and takes a payload.
func nameAndPayload(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return errors.New("missing argument: the name of the " + what)
		case len(args) > 2:
			return fmt.Errorf("unknown argument %q: a name and a payload are taken; quote a payload of several words", args[2])
		}
		return nil
	}
}

// payload is the argument after the name.
func payload(args []string) []byte {
	if len(args) < 2 {
		return nil
	}
	return []byte(args[1])
}
