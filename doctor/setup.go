package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"muster/cluster"
	"muster/command"
	"muster/config"
	"muster/human"
	"muster/rules"
)

// configuration says what is wrong with what the agent is told.
func (e *examination) configuration(context.Context) Findings {
	r := report{check: "configuration"}
	r.faults(e.Problems)
	switch files := e.Config.Config.Files; {
	case e.Problems.HasErrors():
		return r.found
	case len(files) == 0:
		return r.orOK("the defaults: there is no %s", config.DefaultPath)
	default:
		return r.orOK("%s", human.Few(files, mostNamed))
	}
}

// rulesOf says what is wrong with the rules.
func (e *examination) rulesOf(context.Context) Findings {
	r, dir := report{check: "rules"}, e.rulesDir()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir == config.DefaultRulesDir {
		r.add(Warning, "Write some with `muster init`.", "there are no rules: there is no %s", dir)
		return r.found
	}
	r.faults(e.faults)
	if e.status != nil && len(e.status.Problems) == 0 && e.faults.HasErrors() {
		r.add(Warning, "Run `muster reload`: it says what it reads.", "the agent has other rules in force than the ones on disk")
	}
	if e.program == nil {
		return r.found
	}
	return r.orOK("%s: %s, no mistakes", dir, human.Count(len(e.program.Set.Rules), "rule"))
}

// faults tells problems as findings.
func (r *report) faults(ps rules.Problems) {
	for _, p := range ps {
		level, remedy := Problem, p.Detail
		if p.Severity == rules.Warning {
			level = Warning
		}
		if remedy == "" {
			remedy = "Correct it; `muster validate` shows the line."
		}
		r.add(level, remedy, "%s", strings.Split(p.Error(), "\n")[0])
	}
}

// self is this node, as its rules would see it.
func (e *examination) self() cluster.Member {
	if e.status != nil {
		for _, m := range e.members {
			if m.Name == e.status.Node.Name {
				return m
			}
		}
	}
	c := e.Config.Config.Cluster
	tags, err := c.StartTags()
	if err != nil {
		tags = c.Tags
	}
	return cluster.Member{Name: c.NodeName(), Tags: tags, Status: cluster.Alive}
}

// programs looks for what the rules in force run, as the agent would.
func (e *examination) programs(context.Context) Findings {
	r := report{check: "programs"}
	if e.program == nil {
		r.skip("there are no rules, or they have mistakes")
		return r.found
	}
	self, found := e.self(), map[string]bool{}
	for _, rule := range e.program.Set.Rules {
		if !rule.InForce(self) {
			continue
		}
		for _, need := range rule.Needs() {
			c := command.Command{Argv: []string{need.Program}, Env: e.of.environ(need.Env), User: need.User}
			path, err := c.Find()
			if err == nil {
				found[path] = true
				continue
			}
			r.add(Problem, "Install it, or name another program in the rule; a name without a / is looked for in the agent's PATH.",
				"rule %s, %s: %v", rule.Name, need.For, err)
		}
	}
	if len(found) == 0 {
		return r.orOK("the rules in force run none")
	}
	return r.orOK("%s, all found", human.Count(len(found), "program"))
}
