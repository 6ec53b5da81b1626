package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A Command is a command that a rule runs: an argv, never a shell's line.
type Command struct {
	Timeout time.Duration
	User    string // empty: the agent's own
	Outside bool   // sandbox = "systemd-run": outside of the agent's sandbox
	// Consumer is the name that stood in the command's place; empty: none did.
	Consumer string

	argv *expr
	env  *expr // nil: none
}

// CommandOptions is how to run a command.
type CommandOptions struct {
	Timeout time.Duration
	Env     map[string]string // beside the basic environment
	User    string            // empty: the agent's own
	Outside bool              // outside of the agent's sandbox
}

// Where a command runs.
const (
	SandboxAgent   = "agent"       // with the agent, and in its sandbox
	SandboxSystemd = "systemd-run" // outside of it, by systemd
)

// ReloadArgv returns the argv that makes the service read r's files; nil if
// there is none.
func (r *Rule) ReloadArgv() ([]string, error) {
	if r.Reload == nil {
		return nil, nil
	}
	argv, err := r.Reload.args(&scope{})
	if err != nil {
		return nil, fmt.Errorf("cannot evaluate reload of rule %q: %w", r.Name, err)
	}
	return argv, nil
}

// ReloadOptions returns how to run the reload; zero if there is none.
func (r *Rule) ReloadOptions() CommandOptions { return r.Reload.options() }

func (c *Command) options() CommandOptions {
	if c == nil {
		return CommandOptions{}
	}
	o := CommandOptions{Timeout: c.Timeout, User: c.User, Outside: c.Outside}
	if c.env != nil {
		o.Env, _ = c.env.strMap(&scope{}) // constant: it was evaluated at load
	}
	return o
}

// args evaluates the argv.
func (c *Command) args(s *scope) ([]string, error) {
	argv, err := c.argv.strs(s)
	if err != nil {
		return nil, err
	}
	return argv, badArgv(argv)
}

func badArgv(argv []string) error {
	if len(argv) == 0 || argv[0] == "" {
		return fmt.Errorf("it names no program")
	}
	for i, a := range argv {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("element %d holds a NUL byte", i+1)
		}
	}
	return nil
}

// commandAttrs lists what may stand in the blocks of the commands that a rule
// which renders has.
var commandAttrs = map[string][]string{
	"check":  {"use", "with", "command", "mode", "wrapper", "timeout", "env", "user", "sandbox"},
	"reload": {"use", "with", "command", "timeout", "env", "user", "sandbox"},
	"verify": {"use", "with", "command", "workers", "timeout", "env", "user", "sandbox"},
}

// commandBlock returns the block that says more of a command, which may be a
// consumer's; nil where the command is a list, or is not given. used is the
// consumer's name.
func (b *block) commandBlock(name string) (in *block, used string) {
	c, attr := b.child(name), b.attrs[name]
	switch {
	case c != nil && attr != nil:
		b.problem(attr.NameRange, fmt.Sprintf("`%s` is given twice", name), fmt.Sprintf("The block is at %s. Keep one of them.", placeOf(c.DefRange)))
		return nil, ""
	case attr != nil:
		if used = oneWord(attr.Expr); used == "" {
			return nil, ""
		}
		return b.use(name, used, attr.Expr.Range(), nil), used
	case c == nil:
		return nil, ""
	}
	s := b.open(c.Body, c.DefRange, shape{what: "a `" + name + "` block", attrs: commandAttrs[name]})
	if s.attrs["use"] == nil {
		s.refuse([]string{"with"}, "has no meaning without `use`", "Write use = \"NAME\", with one of "+and(Consumers())+".")
		return s, ""
	}
	s.refuse([]string{"command", "wrapper", "workers"}, "has no meaning beside `use`", "What `use` names has it already: keep one of them.")
	with := s.expression("with", spec{what: "`with`", want: cty.Map(cty.String)})
	if used = s.str("use"); used == "" || s.attrs["with"] != nil && with == nil {
		return nil, used
	}
	in = s.use(name, used, s.attrs["use"].Expr.Range(), with)
	if in != nil {
		for _, a := range []string{"mode", "timeout", "env", "user", "sandbox"} {
			if s.attrs[a] != nil {
				in.attrs[a] = s.attrs[a]
			}
		}
	}
	return in, used
}

// oneWord returns the name of a consumer that e is: a string of one word, which
// no command is.
func oneWord(e hcl.Expression) string {
	code, diags := native(e)
	if diags.HasErrors() || len(code.Variables()) > 0 {
		return ""
	}
	if _, ok := code.(*hclsyntax.TemplateExpr); !ok {
		return ""
	}
	v, diags := code.Value(nil)
	if diags.HasErrors() || !isString(v) || !consumerName.MatchString(v.AsString()) {
		return ""
	}
	return v.AsString()
}

var consumerName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// readReload reads how the service is made to read the files.
func (b *block) readReload() (cmd *Command, used string) {
	in, used := b.commandBlock("reload")
	if attr := b.attrs["reload"]; attr != nil && used == "" {
		return &Command{Timeout: defaultTimeout, argv: b.readArgv("reload", "reload", 0)}, ""
	}
	if in == nil {
		return nil, used
	}
	cmd = in.readCommandBody("reload", 0, 0)
	cmd.Consumer = used
	return cmd, used
}

// readCommandBody reads the attributes that every block with a command has.
// allowed are the variables that the command may use, envAllowed those of env.
func (b *block) readCommandBody(name string, allowed, envAllowed uses) *Command {
	cmd := &Command{
		Timeout: b.duration("timeout", defaultTimeout, time.Millisecond),
		User:    b.account("user"),
		Outside: b.oneOf("sandbox", SandboxAgent, SandboxAgent, SandboxSystemd) == SandboxSystemd,
	}
	if b.attrs["command"] == nil {
		b.problem(b.at, fmt.Sprintf("a `%s` block without `command`", name), "Write command = [\"PROGRAM\", \"ARGUMENT\", …].")
	} else {
		cmd.argv = b.readArgv("command", name, allowed)
	}
	cmd.env = b.expression("env", spec{what: "`env`", allowed: envAllowed, want: cty.Map(cty.String)})
	switch {
	case cmd.env == nil:
	case !cmd.env.constant():
		b.checkEnvTrust(cmd.env)
	case !cmd.env.value.IsNull():
		b.checkEnv(*cmd.env.value)
	}
	return cmd
}

// checkEnvTrust reports an environment in which another node would choose the
// name of a variable: LD_PRELOAD is one, too.
func (b *block) checkEnvTrust(e *expr) {
	if e.uses&fromNetwork == 0 {
		return
	}
	object, ok := e.code.(*hclsyntax.ObjectConsExpr)
	if !ok {
		b.problem(e.code.Range(), "`env` must be a plain object here", "What comes from the cluster may be a variable's value, never its name: write { NAME = VALUE, … }.")
		return
	}
	for _, item := range object.Items {
		if from := networkNames(item.KeyExpr); from != "" {
			b.problem(item.KeyExpr.Range(), "the name of a variable would be chosen by "+from, "What comes from the cluster may be a variable's value, never its name.")
		}
	}
}

// checkEnv reports names and values that no environment can have.
func (b *block) checkEnv(env cty.Value) {
	places := b.keyPlaces("env")
	for k, v := range env.Elements() {
		key := k.AsString()
		if badEnvName(key) {
			b.problem(places(key), fmt.Sprintf("\"%s\" cannot be the name of a variable", printable(key)), "")
		}
		if v.IsNull() || strings.ContainsRune(v.AsString(), 0) {
			b.problem(places(key), fmt.Sprintf("variable \"%s\" has no value", printable(key)), "")
		}
	}
}

func badEnvName(s string) bool { return s == "" || strings.ContainsAny(s, "=\x00") }

// readArgv reads a list of strings: a program and its arguments.
func (b *block) readArgv(attr, name string, allowed uses) *expr {
	what := "`" + attr + "`"
	if attr != name {
		what += " of `" + name + "`"
	}
	at := b.attrs[attr].Expr
	if hint := shellLine(at); hint != "" {
		b.wrong(attr, what+" must be a list: a program and its arguments", hint)
		return nil
	}
	e := b.compile(at, spec{what: what, allowed: allowed, want: cty.List(cty.String)})
	if e == nil {
		return nil
	}
	if e.constant() {
		argv, err := e.strs(nil)
		if err == nil {
			err = badArgv(argv)
		}
		if err != nil {
			b.wrong(attr, what+" cannot be run: "+err.Error(), "Write it as in [\"nginx\", \"-t\"].")
		}
		return e
	}
	b.checkTrust(e, what)
	return e
}

// shellLine returns the list to write where e is a plain string.
func shellLine(e hcl.Expression) string {
	code, diags := native(e)
	if diags.HasErrors() || len(code.Variables()) > 0 {
		return ""
	}
	switch code.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.LiteralValueExpr:
	default:
		return ""
	}
	v, diags := code.Value(nil)
	if diags.HasErrors() || !isString(v) {
		return ""
	}
	line := v.AsString()
	argv := strings.Fields(line)
	if strings.ContainsAny(line, "|&;<>()$`\"'*?#~\\\n") {
		argv = []string{"sh", "-c", line}
	}
	return "No shell is involved. Write " + quoteList(argv) + "."
}

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh"}

// checkTrust reports a command in which another node would choose the program
// or write a part of a shell's script.
func (b *block) checkTrust(e *expr, what string) {
	if e.uses&fromNetwork == 0 {
		return
	}
	list, ok := e.code.(*hclsyntax.TupleConsExpr)
	if !ok || len(list.Exprs) == 0 {
		b.problem(e.code.Range(), what+" must be a plain list here", "What comes from the cluster may be an argument, never the program: write [\"PROGRAM\", …].")
		return
	}
	if from := networkNames(list.Exprs[0]); from != "" {
		b.problem(list.Exprs[0].Range(), "the program would be chosen by "+from, "What comes from the cluster may be an argument, never the program: name the program.")
		return
	}
	if len(list.Exprs) < 3 || !isShell(list.Exprs[0], b) {
		return
	}
	for i, arg := range list.Exprs[2:] {
		flag, diags := list.Exprs[i+1].Value(b.base())
		if diags.HasErrors() || !isString(flag) || !strings.HasPrefix(flag.AsString(), "-") || !strings.HasSuffix(flag.AsString(), "c") {
			continue
		}
		if from := networkNames(arg); from != "" {
			b.problem(arg.Range(), "a part of a shell's script would be written by "+from,
				"Hand it over as an argument: [\"sh\", \"-c\", \"… \\\"$1\\\" …\", \"sh\", VALUE].")
		}
	}
}

// networkNames returns which variables in e come from the cluster.
func networkNames(e hclsyntax.Expression) string {
	var names []string
	for _, t := range e.Variables() {
		name := "`" + t.RootName() + "`"
		if variables[t.RootName()].use&fromNetwork != 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return and(names)
}

func isShell(e hclsyntax.Expression, b *block) bool {
	v, diags := e.Value(b.base())
	return !diags.HasErrors() && isString(v) && slices.Contains(shells, path.Base(v.AsString()))
}
