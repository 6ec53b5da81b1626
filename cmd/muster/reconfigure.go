package main

import (
	"context"
	"fmt"
)

// reconfigure reads the configuration again and takes over what can change
// while the agent runs: the log's level, which signals leave, the event
// handlers, and the tags. With a mistake in it everything stays as it is.
func (s *services) reconfigure(ctx context.Context) {
	cfg, problems := loadConfig(s.flags)
	for _, p := range problems {
		s.log.Error("the configuration has a mistake", "file", p.File, "line", p.Line, "mistake", p.Summary, "remedy", p.Detail)
	}
	s.mistaken.Store(problems.HasErrors())
	if problems.HasErrors() {
		s.log.Error("the configuration in force stays in force")
		return
	}
	if keys := s.cfg.Fixed(cfg); len(keys) > 0 {
		s.log.Warn("only a restart brings these settings into force", "keys", keys)
	}
	s.log.level.Set(cfg.Log.Level)
	s.cfg.Leave = cfg.Leave
	if err := s.keeper.SetHandlers(ctx, cfg.Handlers); err != nil {
		s.log.Error(fmt.Sprintf("cannot change the event handlers: %v", err))
	}
	s.handlers.Store(&cfg.Handlers)
	s.offers.Set(wanted(cfg))
	if s.node == nil {
		return
	}
	kept, err := s.node.SetBaseTags(ctx, cfg.Cluster.Tags)
	if err != nil {
		s.log.Error(fmt.Sprintf("cannot change the tags: %v", err))
	}
	if len(kept) > 0 {
		s.log.Info("tags changed at run time stay as they are", "tags", kept)
	}
}
