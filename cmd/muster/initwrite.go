package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"muster/agent"
	"muster/examples"
	"muster/rules"
)

// What became of a rule file.
const (
	ruleWritten  = "written"
	ruleReplaced = "replaced"
	ruleKept     = "kept"
)

// A ruleFate is that of one rule file.
type ruleFate struct {
	Program string `json:"program"`
	File    string `json:"file"`
	Action  string `json:"action"`
	Why     string `json:"why,omitempty"`

	before []byte // what was replaced
}

// initRules writes rule files, and takes them back if the rule set has
// mistakes with them.
func (a *app) initRules(dir string, order initOrder, sets []examples.RuleSet) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write rules: %w", err)
	}
	program, _, problems := agent.Compile(dir)
	if problems.HasErrors() {
		_ = a.printProblems(a.err, problems)
		return fmt.Errorf("cannot add rules to %s, whose rules have mistakes already: correct them first, or name another directory", dir)
	}
	var there []*rules.Rule
	if program != nil {
		there = program.Set.Rules
	}
	var fates []ruleFate
	for _, set := range sets {
		fate, err := initRule(dir, order, set, there)
		if err != nil {
			return errors.Join(err, undo(fates))
		}
		fates = append(fates, fate)
	}
	if _, _, problems := agent.Compile(dir); problems.HasErrors() {
		_ = a.printProblems(a.err, problems)
		return errors.Join(fmt.Errorf("cannot add rules to %s: together they have mistakes; nothing was written; --for chooses some of them", dir), undo(fates))
	}
	return a.printFates(order, fates)
}

// initRule writes the rule file for one program, unless it or one of its rules
// is there.
func initRule(dir string, order initOrder, set examples.RuleSet, there []*rules.Rule) (ruleFate, error) {
	fate := ruleFate{Program: set.Consumer, File: ruleFile(dir, set), Action: ruleWritten}
	for _, rule := range there {
		if slices.Contains(set.Rules, rule.Name) && filepath.Base(rule.File) != filepath.Base(fate.File) {
			fate.Action, fate.Why = ruleKept, fmt.Sprintf("not written: the rule %s is in %s", rule.Name, rule.File)
			return fate, nil
		}
	}
	text := []byte(set.Text(order.inForce))
	err := writeNew(fate.File, text)
	if !errors.Is(err, fs.ErrExist) {
		return fate, err
	}
	if !order.force {
		fate.Action, fate.Why = ruleKept, "it was there already; --force replaces it"
		return fate, nil
	}
	fate.Action = ruleReplaced
	if fate.before, err = os.ReadFile(fate.File); err != nil {
		return fate, fmt.Errorf("cannot replace rules: %w", err)
	}
	if err := renameio.WriteFile(fate.File, text, 0o644, renameio.WithExistingPermissions()); err != nil {
		return fate, fmt.Errorf("cannot replace rules: %w", err)
	}
	return fate, nil
}

// writeNew writes a file that is not there yet, whole or not at all: an agent
// may be watching the directory.
func writeNew(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".init-*")
	if err != nil {
		return fmt.Errorf("cannot write rules: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Link(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot write rules: %w", err)
	}
	return nil
}

// undo takes back what was written.
func undo(fates []ruleFate) error {
	var errs []error
	for _, fate := range fates {
		switch fate.Action {
		case ruleWritten:
			errs = append(errs, os.Remove(fate.File))
		case ruleReplaced:
			errs = append(errs, renameio.WriteFile(fate.File, fate.before, 0o644, renameio.WithExistingPermissions()))
		}
	}
	return errors.Join(errs...)
}

// printFates says what became of each file, and what comes next.
func (a *app) printFates(order initOrder, fates []ruleFate) error {
	if a.json {
		return a.printJSON(fates)
	}
	t := newTable(a.out)
	changed := false
	for _, fate := range fates {
		t.row(fate.File, fate.Action, fate.Why)
		changed = changed || fate.Action != ruleKept
	}
	t.flush()
	if changed && !order.inForce {
		fmt.Fprintln(a.err, "These rules are not in force: read them, put in your own values, and delete the blocks that say `where = false`.")
	}
	return nil
}
