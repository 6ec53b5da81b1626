package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"muster/agent"
)

func (a *app) renderCommand() *cobra.Command {
	var output string
	offline := offlineFlags{}
	cmd := &cobra.Command{
		Use:   "render [RULE...]",
		Short: "Print what the rules render",
		Long: `Render the rules and print the files, without writing them to where they
belong. The members are those of the running agent, or with --members a list:
then no agent is needed.

With --output the files are written below a directory instead. The text of
sensitive files is printed nowhere, and written only with --output.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			run, err := a.openRules(cmd, offline)
			if err != nil {
				return err
			}
			files, failed := run.Render(names)
			switch {
			case failed != nil && len(files) == 0:
			case output != "":
				err = a.writeRendered(output, files)
			case a.json:
				err = a.printJSON(files)
			default:
				a.printRendered(files)
			}
			return errors.Join(err, failed)
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "write the files below `DIR`, with the same paths")
	offline.add(cmd.Flags())
	a.asksAgent(cmd)
	a.completesRules(cmd)
	a.printsJSON(cmd)
	return cmd
}

// printRendered prints the files, each under its name if there are several.
func (a *app) printRendered(files []agent.RenderedFile) {
	for i, f := range files {
		for _, r := range f.Refused {
			fmt.Fprintf(a.err, "rule %s: left out: %s\n", f.Rule, printable(r.String()))
		}
		if len(files) > 1 {
			if i > 0 {
				fmt.Fprintln(a.out)
			}
			fmt.Fprintf(a.out, "==> %s (rule %s)\n", printable(f.Path), f.Rule)
		}
		if f.Sensitive {
			fmt.Fprintf(a.err, "%s is sensitive: its text is not printed; see --output\n", f.Path)
			continue
		}
		fmt.Fprint(a.out, f.Text)
	}
}

// writeRendered writes the files below dir, for nobody else to read.
func (a *app) writeRendered(dir string, files []agent.RenderedFile) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		mode := os.FileMode(0o644)
		if f.Sensitive {
			mode = 0o600
		}
		if err := os.WriteFile(path, f.Bytes(), mode); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		fmt.Fprintln(a.out, path)
	}
	return nil
}
