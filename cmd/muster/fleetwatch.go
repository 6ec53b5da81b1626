package main

import (
	"context"

	"muster/cluster"
	"muster/config"
	"muster/drain"
	"muster/fleet"
	"muster/rpc"
	"muster/signing"
)

// watchFleet makes what answers how this node's rules stand, and asks others.
func (s *services) watchFleet() (err error) {
	c := fleet.Config{View: s.member.View, Standing: s.keeper.Standing, Version: version(), Logger: s.log.Logger}
	switch member := s.member.(type) {
	case *cluster.Node:
		c.Ask = func(ctx context.Context, q cluster.Query) (fleet.Answers, error) { return member.Query(ctx, q) }
	case *rpc.Attached:
		c.Ask = func(ctx context.Context, q cluster.Query) (fleet.Answers, error) { return member.Query(ctx, q) }
	}
	if s.fleet, err = fleet.New(c); err != nil {
		return err
	}
	s.mux.Handle(cluster.EventQuery+":"+fleet.Query, s.fleet.Hear)
	return nil
}

// keepDrain makes what keeps whether this node drains.
func (s *services) keepDrain(cfg config.Config, trusted func() *signing.Trusted) (err error) {
	s.drain, err = drain.Open(drain.Config{
		Dir: cfg.State.Dir, Self: func() cluster.Member { return s.member.View().SelfMember() }, SetTags: s.member.SetTags,
		Trusted: trusted, MaxAge: cfg.EventMaxAge, Logger: s.log.Logger,
	})
	if err != nil {
		return err
	}
	if s.node != nil {
		s.drain.Keep(context.Background()) // so that the cluster never sees this node without; nothing is sent yet
	}
	s.mux.Handle(cluster.EventQuery+":"+drain.Query, s.drain.Hear)
	return nil
}
