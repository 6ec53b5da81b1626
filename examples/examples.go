// Package examples holds the rule sets of this directory for `muster init`: a
// directory for each consumer, with one file of rules that says in a comment
// where it is of use. Looking for that, and writing the file, is left to the
// command.
package examples

import (
	"embed"

	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed */*.hcl
var files embed.FS

// A RuleSet is the rules for one consumer.
type RuleSet struct {
	Consumer    string   // its directory's name
	Description string   // what its first rule is for
	Rules       []string // their names
	Finds       []string // programs, or absolute paths: where one of them is there, the rules are of use

	text string
}

var (
	finds       = regexp.MustCompile(`(?m)^#\n# muster init writes it where it finds: (.+)\n`)
	ruleHead    = regexp.MustCompile(`(?m)^rule "([^"]+)" \{\n  description = "([^"]+)"\n`)
	testsEnding = ".test.hcl"
)

// All returns the rule sets that `muster init` writes, sorted by consumer.
func All() ([]RuleSet, error) {
	dirs, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var sets []RuleSet
	for _, dir := range dirs {
		entries, err := files.ReadDir(dir.Name())
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), testsEnding) {
				continue
			}
			text, err := files.ReadFile(path.Join(dir.Name(), entry.Name()))
			if err != nil {
				return nil, err
			}
			if set, ok := read(dir.Name(), string(text)); ok {
				sets = append(sets, set)
			}
		}
	}
	return sets, nil
}

// read is a rule set of its text, if that says where it is of use.
func read(consumer, text string) (RuleSet, bool) {
	where := finds.FindStringSubmatch(text)
	heads := ruleHead.FindAllStringSubmatch(text, -1)
	if where == nil || len(heads) == 0 {
		return RuleSet{}, false
	}
	set := RuleSet{Consumer: consumer, Description: heads[0][2], Finds: strings.Split(where[1], ", "), text: strings.Replace(text, where[0], "", 1)}
	for _, head := range heads {
		set.Rules = append(set.Rules, head[1])
	}
	return set, true
}

// Find returns the rule set for a consumer.
func Find(sets []RuleSet, consumer string) (RuleSet, bool) {
	i := slices.IndexFunc(sets, func(s RuleSet) bool { return s.Consumer == consumer })
	if i < 0 {
		return RuleSet{}, false
	}
	return sets[i], true
}

// idle is the block that keeps a rule from being in force, and what to do
// about it.
const idle = `
  # Not in force: nothing is written, checked or reloaded until this block is
  # deleted.
  self {
    where = false
  }
`

// steps are how to take the rules into use.
const steps = `# Written by muster init, and not in force yet:
#
#   1. Put your own values in. muster validate finds mistakes.
#   2. See what it would do: in a copy of this file in another directory, DIR,
#      delete each block "self", then
#        muster plan --rules DIR
#   3. Delete the block here. A running agent notices, and acts at once.

`

// Text is the rule file. Unless it is to be in force, each of its rules is in
// force nowhere until somebody deletes a block.
func (s RuleSet) Text(inForce bool) string {
	if inForce {
		return s.text
	}
	return steps + ruleHead.ReplaceAllStringFunc(s.text, func(head string) string { return head + idle })
}
