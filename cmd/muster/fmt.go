package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"muster/config"
	"muster/rules"
)

func (a *app) fmtCommand() *cobra.Command {
	var check, showDiff bool
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Bring rule files into the canonical layout",
		Long: `Rewrite rule files in the canonical layout. PATH is a file, or a directory
whose *.hcl and *.hcl.json are meant; - reads standard input and prints the
result. Without PATH the default rules directory is meant.

With --check nothing is written: the files that would change are listed, and
the exit code is 1 if there are any. With --diff the differences are printed
and nothing is written.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{config.DefaultRulesDir}
			}
			if slices.Equal(args, []string{"-"}) {
				return a.fmtStream(cmd.InOrStdin())
			}
			return a.fmtFiles(args, check, showDiff)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; list what would change, and exit with 1 if anything would")
	cmd.Flags().BoolVar(&showDiff, "diff", false, "write nothing; print the differences")
	return cmd
}

// fmtStream formats standard input.
func (a *app) fmtStream(in io.Reader) error {
	src, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return fmt.Errorf("cannot read standard input: %w", err)
	}
	out, problems := rules.Fmt(src, "<stdin>")
	if err := a.printProblems(a.err, problems); err != nil {
		return err
	}
	_, err = a.out.Write(out)
	return err
}

// fmtFiles formats files in place, or says what it would do.
func (a *app) fmtFiles(args []string, check, showDiff bool) error {
	color, err := a.colored(a.out)
	if err != nil {
		return err
	}
	paths, err := ruleFiles(args)
	if err != nil {
		return err
	}
	var problems rules.Problems
	changed := false
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("cannot format %s: %w", path, err)
		}
		out, found := rules.Fmt(src, path)
		problems = append(problems, found...)
		if out == nil || bytes.Equal(src, out) {
			continue
		}
		changed = true
		if !showDiff {
			fmt.Fprintln(a.out, path)
		} else {
			a.printDiff("", udiff.Unified(path, path, string(src), string(out)), painter(color))
		}
		if !check && !showDiff {
			if err := renameio.WriteFile(path, out, 0o644, renameio.WithExistingPermissions()); err != nil {
				return fmt.Errorf("cannot format %s: %w", path, err)
			}
		}
	}
	if err := a.printProblems(a.err, problems); err != nil {
		return err
	}
	if check && changed {
		return exit{code: exitFailed}
	}
	return nil
}

// ruleFiles lists the files that the arguments mean.
func ruleFiles(args []string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		entries, err := os.ReadDir(arg)
		if err != nil {
			if info, statErr := os.Stat(arg); statErr != nil || info.IsDir() {
				return nil, fmt.Errorf("cannot format %s: %w", arg, err)
			}
			paths = append(paths, arg)
			continue
		}
		for _, e := range entries {
			if name := e.Name(); !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")) {
				paths = append(paths, filepath.Join(arg, name))
			}
		}
	}
	return paths, nil
}
