package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// oneDash lets the flags of every command be written with one dash, as those
// of Serf's commands are (`-status=alive`), and returns the command line with
// two. As there, an argument that only looks like a flag is an argument if it
// comes after another: `muster event scale -5`.
func oneDash(root *cobra.Command, args []string) []string {
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		return args
	}
	cmd.InitDefaultHelpFlag()
	return append(strings.Fields(cmd.CommandPath())[1:], twoDashes(cmd, rest)...)
}

// twoDashes does it for the arguments of one command. What was meant as an
// argument comes last, behind a "--" where it could be taken for a flag; what was
// behind one, as words for another program are, still is.
func twoDashes(cmd *cobra.Command, args []string) []string {
	var flags, operands, behind []string
	literal := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		flag := longFlag(cmd, name)
		switch {
		case arg == "--":
			behind, i = args[i:], len(args)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			operands = append(operands, arg)
		case flag != nil && !strings.HasPrefix(arg, "---"):
			flags = append(flags, "--"+strings.TrimLeft(arg, "-"))
			if takes := flag.NoOptDefVal == "" && !joined; takes && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		case !strings.HasPrefix(arg, "--") && arg != "-h" && len(operands) > 0:
			operands, literal = append(operands, arg), true
		case len(name) > 1 && !strings.HasPrefix(arg, "--"): // an unknown flag, for the parser to complain about
			flags = append(flags, "-"+arg)
		default:
			flags = append(flags, arg)
		}
	}
	if literal {
		flags, behind = append(flags, "--"), behind[min(1, len(behind)):]
	}
	return slices.Concat(flags, operands, behind)
}

// longFlag is the flag of a command that is called name, its parents' too.
func longFlag(cmd *cobra.Command, name string) *pflag.Flag {
	if len(name) < 2 {
		return nil
	}
	return cmd.Flag(name)
}
