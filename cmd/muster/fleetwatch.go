package main

import (
	"context"

	"muster/cluster"
	"muster/fleet"
	"muster/rpc"
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
