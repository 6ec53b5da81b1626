package main

import (
	"context"
	"time"

	"muster/cluster"
	"muster/config"
	"muster/nodes"
	"muster/rpc"
)

// rttsPerRound is of how many members an agent that is followed is asked for
// the coordinate after each round of questions.
const rttsPerRound = 64

// watchNodes makes what knows how the nodes are, and what answers for this
// one. Nothing is asked before somebody looks.
func (s *services) watchNodes(cfg config.Config) (err error) {
	c := nodes.Config{
		View: s.member.View, Every: cfg.Nodes.Every, Threshold: float64(cfg.Nodes.Threshold), Logger: s.log.Logger,
	}
	switch member := s.member.(type) {
	case *cluster.Node:
		c.Ask = func(ctx context.Context, q cluster.Query) (nodes.Answers, error) { return member.Query(ctx, q) }
		c.RTT = func(_ context.Context, name string) (time.Duration, bool) {
			self := member.View().Self
			here, known := member.Coordinate(self)
			there, also := member.Coordinate(name)
			return distance(here, there, known && also && name != self)
		}
	case *rpc.Attached:
		c.Ask = func(ctx context.Context, q cluster.Query) (nodes.Answers, error) { return member.Query(ctx, q) }
		c.RTTs = rttsPerRound
		c.RTT = func(ctx context.Context, name string) (time.Duration, bool) {
			self := member.View().Self
			here, err := member.Coordinate(ctx, self)
			if err != nil || name == self {
				return 0, false
			}
			there, err := member.Coordinate(ctx, name)
			return distance(here, there, err == nil)
		}
	}
	if s.nodes, err = nodes.New(c); err != nil {
		return err
	}
	answerer := &nodes.Answerer{RootFS: cfg.Nodes.RootFS, Logger: s.log.Logger}
	s.mux.Handle(cluster.EventQuery+":"+nodes.Query, answerer.Handle)
	for _, kind := range []string{cluster.EventJoin, cluster.EventLeave, cluster.EventFailed, cluster.EventReap} {
		s.mux.Handle(kind, s.nodes.Hear)
	}
	s.ears = s.member.Subscribe(eventBacklog)
	return nil
}

// distance is the round-trip time between two coordinates, if both are known.
func distance(here, there *cluster.Coordinate, known bool) (time.Duration, bool) {
	if !known || !here.IsCompatibleWith(there) {
		return 0, false
	}
	return here.DistanceTo(there), true
}
