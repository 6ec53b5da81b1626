//go:build man

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
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
			if err := writePages(cmd.Root(), args[0]); err != nil {
				return fmt.Errorf("cannot write the man pages: %w", err)
			}
			return nil
		},
	}}
}

// manNotes is what muster(1) says beyond `muster --help`.
const manNotes = `
# EXIT STATUS

**0**
:   done; for a question, the answer was found

**1**
:   it could not be done, or what was asked about is not as it should be

**2**
:   of muster-plan(1) with --detailed-exitcode: there are changes

**64**
:   the command line has a mistake

# ENVIRONMENT

**MUSTER_SOCKET**
:   where the running agent is found, and where an agent listens

**SERF_RPC_ADDR**, **SERF_RPC_AUTH**
:   where the commands of Serf find an agent, and the key that it demands

**NO_COLOR**
:   no colours, unless --color says otherwise

# FILES

*/etc/muster/muster.hcl*
:   the configuration

*/etc/muster/rules.d*
:   the rules

*/var/lib/muster*
:   what the agent must not forget: its journal, its ledger of events, its tokens

*/run/muster/api.sock*, */run/muster/rpc.sock*
:   where the other commands find the agent

*/usr/share/doc/muster/docs*
:   the manual: rules, templates, configuration, operations
`

// writePages writes a page for each command to a directory.
func writePages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.InitDefaultHelpCmd()
	readable(root)
	root.Long += manNotes
	return writePage(root, dir)
}

func writePage(cmd *cobra.Command, dir string) error {
	header := &doc.GenManHeader{Section: "1", Source: "muster " + version(), Manual: "muster's manual"}
	var page bytes.Buffer
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return err
	}
	// A flag that takes no value has none to show.
	text := bytes.ReplaceAll(page.Bytes(), []byte("=\n\t"), []byte("\n\t"))
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		return err
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && !child.IsAdditionalHelpTopicCommand() {
			if err := writePage(child, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// readable has each page show what --help says as it is laid out there: what is
// indented stands as it is, nothing is taken for Markdown, and a flag has the
// name of its value.
func readable(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long = asMarkdown(cmd.Long)
	cmd.InitDefaultHelpFlag()
	cmd.LocalFlags().VisitAll(named)
	var list strings.Builder
	for _, child := range cmd.Commands() {
		readable(child)
		if child.IsAvailableCommand() {
			fmt.Fprintf(&list, "\n**%s**\n:   %s\n", child.Name(), escapeMarkdown.Replace(child.Short))
		}
	}
	if list.Len() > 0 {
		cmd.Use += " COMMAND"
		cmd.Long += "\n\n# COMMANDS\n" + list.String()
	}
}

// A placeholder is the name of a flag's value.
type placeholder string

func (p placeholder) String() string { return string(p) }
func (placeholder) Set(string) error { return nil }
func (placeholder) Type() string     { return "placeholder" }

// named gives a flag the name of its value in the place of its default, which
// goes into the text as in --help.
func named(f *pflag.Flag) {
	name, _ := pflag.UnquoteUsage(f)
	f.Usage = strings.NewReplacer("*", `\*`, "_", `\_`).Replace(f.Usage)
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
	default:
		f.Usage += " (default " + f.DefValue + ")"
	}
	f.DefValue, f.Value, f.NoOptDefVal = name, placeholder(name), ""
}

// asMarkdown is plain text as Markdown that comes out as that text. A line that
// is indented, or has columns, is kept as it is.
func asMarkdown(text string) string {
	var out strings.Builder
	verbatim := false
	for line := range strings.Lines(text) {
		was := verbatim
		verbatim = strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || strings.Contains(strings.TrimSpace(line), "  ") || was && strings.TrimSpace(line) == ""
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
