package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"muster/cluster"
	"muster/config"
	"muster/drain"
	"muster/metadata"
	"muster/order"
	"muster/rpc"
	"muster/signing"
)

// takeOrders makes what keeps the orders that this node was given: which
// services it runs, and whether it drains.
func (s *services) takeOrders(cfg config.Config, trusted func() *signing.Trusted) (err error) {
	c := order.Config{
		Dir: cfg.State.Dir, Self: func() cluster.Member { return s.member.View().SelfMember() }, SetTags: s.member.SetTags,
		Trusted: trusted, MaxAge: cfg.EventMaxAge, Logger: s.log.Logger,
	}
	if s.runs, err = metadata.Open(c); err != nil {
		return err
	}
	if s.drain, err = drain.Open(c); err != nil {
		return err
	}
	if s.node != nil { // so that the cluster never sees this node without; nothing is sent yet
		s.runs.Keep(context.Background())
		s.drain.Keep(context.Background())
	}
	s.mux.Handle(cluster.EventQuery+":"+metadata.Query, s.runs.Hear)
	s.mux.Handle(cluster.EventQuery+":"+drain.Query, s.drain.Hear)
	return nil
}

// changeWait is how long another node may take: its tags spread meanwhile.
const changeWait = 10 * time.Second

// giveOrder gives any node an order, in a query that the key in keyFile signs,
// and returns its answer. hint says where to see whether the node does it, if it
// does not answer.
func giveOrder[A any](a *app, cmd *cobra.Command, keyFile, host, query string, o order.Order, hint string) (answer A, err error) {
	key, err := signing.ReadKey(keyFile)
	if err != nil {
		return answer, err
	}
	payload, err := order.Seal(key, query, host, o, time.Now())
	if err != nil {
		return answer, err
	}
	text, err := a.askNode(cmd, host, query, payload, hint)
	if err != nil {
		return answer, err
	}
	if answer, err = order.ReadAnswer[A](text); err != nil {
		return answer, fmt.Errorf("%s refuses: %w", plain(host), err)
	}
	return answer, nil
}

// askNode asks one node to change something about itself, and returns its
// answer. hint says where to see whether it did, if it does not answer.
func (a *app) askNode(cmd *cobra.Command, host, query string, payload []byte, hint string) ([]byte, error) {
	ctx := cmd.Context()
	client, err := a.dial(ctx, cmd)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	live, err := client.Members(ctx, rpc.Filter{Status: string(cluster.Alive)})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(live, func(m rpc.Member) bool { return m.Name == host }) {
		return nil, fmt.Errorf("cannot change %s: no living member is called that; `muster members` lists them", plain(host))
	}
	answers, err := client.Query(ctx, cluster.Query{Name: query, Payload: payload, Nodes: []string{host}, Timeout: changeWait})
	if err != nil {
		return nil, err
	}
	defer answers.Close()
	for {
		answer, err := answers.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("cannot change %s: it did not answer; does muster run there? %s", plain(host), hint)
		case err != nil:
			return nil, err
		case answer.Ack || answer.From != host:
			continue
		}
		return answer.Payload, nil
	}
}
