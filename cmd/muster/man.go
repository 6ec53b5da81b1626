//go:build man

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// forPackagers writes the man pages that a package ships. They are what --help
// says. Half a megabyte for what runs once, where a package is made: only a
// binary that is built with the tag `man` has it.
func forPackagers() []*cobra.Command {
	return []*cobra.Command{{
		Use:   "man-pages DIR",
		Short: "Write the man pages to a directory",
		Long: `Writes one man page for each command to DIR, for those who make packages.
The date in them is that of SOURCE_DATE_EPOCH, in seconds since 1970, or today.`,
		Hidden: true,
		Args:   one("the directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot write the man pages: %w", err)
			}
			root := cmd.Root()
			root.InitDefaultHelpCmd()
			readable(root)
			header := &doc.GenManHeader{Section: "1", Source: "muster " + version(), Manual: "muster's manual"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("cannot write the man pages: %w", err)
			}
			return nil
		},
	}}
}

// readable has each page show the help's text as it is laid out there: what is
// indented stands as it is, and nothing in it is taken for Markdown.
func readable(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long = asMarkdown(cmd.Long)
	for _, child := range cmd.Commands() {
		readable(child)
	}
}

// asMarkdown is plain text as Markdown that comes out as that text. A line that
// is indented, or has columns, is kept as it is.
func asMarkdown(text string) string {
	var out strings.Builder
	verbatim := false
	for line := range strings.Lines(text) {
		was := verbatim
		verbatim = strings.HasPrefix(line, " ") || strings.Contains(strings.TrimSpace(line), "  ") || was && strings.TrimSpace(line) == ""
		if verbatim != was {
			out.WriteString("\n")
		}
		if verbatim {
			out.WriteString("    " + line)
			continue
		}
		out.WriteString(escapeMarkdown.Replace(line))
	}
	return out.String()
}

var escapeMarkdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `<`, `\<`, `[`, `\[`, `#`, `\#`)
