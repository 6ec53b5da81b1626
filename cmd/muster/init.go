package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/examples"
)

// An initOrder says which rule files are to be written.
type initOrder struct {
	only                             []string
	all, force, inForce, list, print bool
	config                           config.Flags
}

func (a *app) initCommand() *cobra.Command {
	order := initOrder{config: config.Flags{}}
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write rule files to start from, for the programs of this host",
		Long: `Write a file of rules, explained line by line, for each program of this host
that muster knows how to serve. DIR is the rules directory, by default the
configured one.

The rules are not in force: nothing is written, checked or reloaded before
somebody has read them, put in their own values and deleted the block that says
"where = false". Files that are there already stay as they are.`,
		Example: `  muster init --list
  muster init --for nginx,prometheus
  muster init --print --for haproxy`,
		Args: atMostOne("a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.check(); err != nil {
				return usage(cmd, err)
			}
			sets, err := examples.All()
			if err != nil {
				return err
			}
			chosen, err := order.choose(sets)
			if err != nil {
				return usage(cmd, err)
			}
			if len(chosen) == 0 {
				return fmt.Errorf("cannot find any of the programs that are known; --for writes rules whether they are here or not: %s", consumers(sets))
			}
			if order.print {
				return a.printRuleFiles(order, chosen)
			}
			if len(args) > 0 {
				if err := cmd.Flags().Set("rules", args[0]); err != nil {
					return err
				}
			}
			cfg, problems := config.Load(order.config)
			if err := a.printProblems(a.err, problems); err != nil {
				return err
			}
			dir := cfg.Rules.Dir
			if len(args) > 0 {
				dir = args[0] // as it was typed
			}
			if order.list {
				return a.listRules(dir, sets)
			}
			return a.initRules(dir, order, chosen)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&order.only, "for", nil, "for these `PROGRAMS`, separated by commas, whether they are here or not")
	flags.BoolVar(&order.all, "all", false, "for all programs that are known, whether they are here or not")
	flags.BoolVar(&order.force, "force", false, "replace files that are there already")
	flags.BoolVar(&order.inForce, "in-force", false, "rules that are in force as soon as an agent reads them")
	flags.BoolVar(&order.list, "list", false, "write nothing; list the programs that are known, and which of them are here")
	flags.BoolVar(&order.print, "print", false, "write nothing; print the files")
	order.config.AddPathFlags(flags)
	a.printsJSON(cmd)
	completesFor(cmd)
	return cmd
}

// completesFor has the shell complete --for with the programs that are known.
func completesFor(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("for", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		sets, err := examples.All()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		before := typed[:strings.LastIndex(typed, ",")+1]
		var names []string
		for _, set := range sets {
			if !slices.Contains(strings.Split(before, ","), set.Consumer) {
				names = append(names, before+set.Consumer)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	if err != nil {
		panic(err) // there is no such flag
	}
}

// check finds the flags that exclude one another.
func (o initOrder) check() error {
	switch {
	case o.all && len(o.only) > 0:
		return errors.New("--all is more than --for: leave out one of them")
	case o.list && o.print:
		return errors.New("--list lists and --print prints: leave out one of them")
	case o.list && (o.force || o.inForce || o.all || len(o.only) > 0):
		return errors.New("--list lists all that is known, and writes nothing: leave out the other flags")
	}
	return nil
}

// choose returns the rule sets that are meant.
func (o initOrder) choose(sets []examples.RuleSet) ([]examples.RuleSet, error) {
	if o.all || o.list {
		return sets, nil
	}
	var chosen []examples.RuleSet
	for _, name := range o.only {
		set, known := examples.Find(sets, name)
		if !known {
			return nil, fmt.Errorf("unknown program %q: --for takes %s", name, consumers(sets))
		}
		chosen = append(chosen, set)
	}
	if len(o.only) > 0 {
		return chosen, nil
	}
	for _, set := range sets {
		if found(set) != "" {
			chosen = append(chosen, set)
		}
	}
	return chosen, nil
}

// consumers are the names of rule sets, in words.
func consumers(sets []examples.RuleSet) string {
	var names []string
	for _, set := range sets {
		names = append(names, set.Consumer)
	}
	return strings.Join(names, ", ")
}

// found is the path of what a rule set is of use for, if that is on this host.
func found(set examples.RuleSet) string {
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin")
	for _, name := range set.Finds {
		if filepath.IsAbs(name) {
			if _, err := os.Stat(name); err == nil {
				return name
			}
			continue
		}
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && filepath.IsAbs(dir) && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}

// printRuleFiles prints the files that would be written.
func (a *app) printRuleFiles(order initOrder, sets []examples.RuleSet) error {
	type file struct {
		Program string `json:"program"`
		Text    string `json:"text"`
	}
	var files []file
	for _, set := range sets {
		files = append(files, file{set.Consumer, set.Text(order.inForce)})
	}
	if a.json {
		return a.printJSON(files)
	}
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprint(a.out, f.Text)
	}
	return nil
}

// listRules prints what is known, and what of it is here.
func (a *app) listRules(dir string, sets []examples.RuleSet) error {
	type known struct {
		Program     string   `json:"program"`
		Found       string   `json:"found,omitempty"` // its path
		Description string   `json:"description"`
		Rules       []string `json:"rules"`
		File        string   `json:"file"`
		Exists      bool     `json:"exists"`
	}
	var list []known
	for _, set := range sets {
		path := ruleFile(dir, set)
		_, err := os.Lstat(path)
		list = append(list, known{set.Consumer, found(set), set.Description, set.Rules, path, err == nil})
	}
	if a.json {
		return a.printJSON(list)
	}
	t := newTable(a.out, "PROGRAM", "FOUND", "FILE", "WHAT FOR")
	for _, k := range list {
		file := "-"
		if k.Exists {
			file = k.File
		}
		t.row(k.Program, cmp.Or(k.Found, "-"), file, k.Description)
	}
	t.flush()
	return nil
}

// ruleFile is where a rule set is written.
func ruleFile(dir string, set examples.RuleSet) string {
	return filepath.Join(dir, set.Consumer+".hcl")
}
