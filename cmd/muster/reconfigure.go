package main

import (
	"context"
	"fmt"
	"maps"

	"muster/config"
)

// reconfigure reads the configuration again and takes over what can change
// while the agent runs: the log's level, the event handlers, and the tags.
// With a mistake in it everything stays as it is.
func (s *services) reconfigure(ctx context.Context) {
	cfg, problems := config.Load(s.flags)
	for _, p := range problems {
		s.log.Error("the configuration has a mistake", "file", p.File, "line", p.Line, "mistake", p.Summary, "remedy", p.Detail)
	}
	if problems.HasErrors() {
		s.log.Error("the configuration in force stays in force")
		return
	}
	s.log.level.Set(cfg.Log.Level)
	if err := s.keeper.SetHandlers(ctx, cfg.Handlers); err != nil {
		s.log.Error(fmt.Sprintf("cannot change the event handlers: %v", err))
	}
	old := s.tags
	if s.node == nil || maps.Equal(old, cfg.Cluster.Tags) {
		return
	}
	err := s.node.SetTags(ctx, func(tags map[string]string) { retag(tags, old, cfg.Cluster.Tags) })
	if err != nil {
		s.log.Error(fmt.Sprintf("cannot change the tags: %v", err))
		return
	}
	s.tags = cfg.Cluster.Tags
}

// retag makes the changes between two configurations in tags, and leaves
// alone what was set at run time and is in neither.
func retag(tags, before, after map[string]string) {
	for key, value := range before {
		if _, stays := after[key]; !stays && tags[key] == value {
			delete(tags, key)
		}
	}
	for key, value := range after {
		if was, known := before[key]; !known || was != value {
			tags[key] = value
		}
	}
}
