package rules

import (
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A Need is a program that a rule runs, as far as it is known beforehand.
type Need struct {
	For     string // check, reload, verify, run or respond
	Program string // a name to be found in PATH, or a path
	CommandOptions
}

// Needs lists the programs that r runs, in the order of its blocks. What is
// only known when it is run, as `command = [self.tags.tool]`, is left out.
func (r *Rule) Needs() []Need {
	var all []Need
	add := func(what string, c *Command) {
		if c == nil {
			return
		}
		if program, ok := c.program(); ok {
			all = append(all, Need{what, program, c.fixed()})
		}
	}
	for what, c := range r.fileCommands() {
		add(what, c)
	}
	for _, s := range r.Steps {
		switch {
		case s.Run != nil:
			add("run", &s.Run.Command)
		case s.Respond != nil:
			add("respond", s.Respond.Command)
		}
	}
	return all
}

// program returns the first word of the argv, if it is known beforehand.
func (c *Command) program() (string, bool) {
	if c.argv == nil {
		return "", false
	}
	if c.argv.constant() {
		argv, err := c.args(&scope{})
		if err != nil {
			return "", false
		}
		return argv[0], true
	}
	list, ok := c.argv.code.(*hclsyntax.TupleConsExpr)
	if !ok || len(list.Exprs) == 0 {
		return "", false
	}
	v, diags := list.Exprs[0].Value(c.argv.base)
	if diags.HasErrors() || !isString(v) || v.AsString() == "" {
		return "", false
	}
	return v.AsString(), true
}

// fixed are the options as far as they are known beforehand.
func (c *Command) fixed() CommandOptions {
	o := CommandOptions{Timeout: c.Timeout, User: c.User}
	if c.env != nil && c.env.constant() {
		o.Env, _ = c.env.strMap(&scope{}) // it was evaluated at load
	}
	return o
}

// DestinationDir returns the directory that t's files go to, as far as it is
// known beforehand.
func (t *Template) DestinationDir() (string, bool) {
	if path, ok := t.constantDestination(); ok {
		return filepath.Dir(path), true
	}
	if t.destination == nil {
		return "", false
	}
	path, ok := constantPrefix(t.destination)
	if parts, _ := destinationParts(t.destination.code); ok && len(parts) > 1 {
		// A slash after that makes it a directory below the one known.
		for _, part := range parts[1:] {
			if lit, isText := part.(*hclsyntax.LiteralValueExpr); isText && isString(lit.Val) && strings.Contains(lit.Val.AsString(), "/") {
				return "", false
			}
		}
	}
	if !ok || !filepath.IsAbs(path) {
		return "", false
	}
	return filepath.Dir(path[:strings.LastIndexByte(path, '/')+1] + "x"), true
}
