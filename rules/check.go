package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// A Check is the command that says whether a rule's files are good, and where
// it sees them.
type Check struct {
	Command
	Mode string // one of CheckModes

	wrapper *expr // nil: none
}

// The modes of a check; docs/language.md tells them apart.
const (
	CheckAuto    = "auto"
	CheckStaged  = "staged"
	CheckWrapper = "wrapper"
	CheckOverlay = "overlay"
	CheckSwap    = "swap"
)

// Wraps reports whether the check needs a wrapper.
func (c *Check) Wraps() bool { return c != nil && c.wrapper != nil }

// CheckArgv returns the argv that checks r's files; nil if there is none.
// staged maps each destination to where the file stands, and wrapper is where
// the check's wrapper does.
func (r *Rule) CheckArgv(staged map[string]string, wrapper string) ([]string, error) {
	if r.Check == nil {
		return nil, nil
	}
	argv, err := r.Check.args(&scope{staged: staged, wrap: wrapper})
	if err != nil {
		err = r.stagedError(r.Check.argv, staged, err)
	}
	return argv, err
}

// CheckWrapper returns the text of the file that r's check has written for it.
func (r *Rule) CheckWrapper(staged map[string]string) ([]byte, error) {
	if !r.Check.Wraps() {
		return nil, nil
	}
	text, err := r.Check.wrapper.str(&scope{staged: staged})
	if err != nil {
		err = r.stagedError(r.Check.wrapper, staged, err)
	}
	return []byte(text), err
}

func (r *Rule) stagedError(e *expr, staged map[string]string, err error) error {
	if path := e.unstaged(staged); path != "" {
		err = fmt.Errorf("no file %s is staged", quoted(path))
	}
	return fmt.Errorf("cannot evaluate check of rule %q: %w", r.Name, err)
}

// CheckOptions returns how to run the check; zero if there is none.
func (r *Rule) CheckOptions() CommandOptions {
	if r.Check == nil {
		return CommandOptions{}
	}
	return r.Check.options()
}

// unstaged returns a file for which e asks and which is not staged.
func (e *expr) unstaged(staged map[string]string) string {
	for _, t := range e.code.Variables() {
		if t.RootName() != "staged" || len(t) < 2 {
			continue
		}
		path := stepName(t[1])
		if _, ok := staged[path]; !ok && path != "" {
			return path
		}
	}
	return ""
}

// readCheck reads how the files are checked.
func (b *block) readCheck() *Check {
	in, used := b.commandBlock("check")
	if attr := b.attrs["check"]; attr != nil && used == "" {
		c := &Check{Command: Command{Timeout: defaultTimeout, argv: b.readArgv("check", "check", useStaged)}}
		c.Mode = c.defaultMode()
		return c
	}
	if in == nil {
		return nil
	}
	c := &Check{wrapper: in.expression("wrapper", spec{what: "`wrapper`", allowed: useStaged, want: cty.String})}
	allowed := useStaged
	if in.attrs["wrapper"] != nil {
		allowed |= useWrapper
	}
	c.Command = *in.readCommandBody("check", allowed, 0)
	c.Consumer = used
	c.Mode = in.oneOf("mode", c.defaultMode(), CheckAuto, CheckStaged, CheckWrapper, CheckOverlay, CheckSwap)
	if c.Outside && c.Mode == CheckAuto {
		c.Mode = CheckSwap // out there nobody sees the files before they are in place
	}
	in.checkMode(c)
	return c
}

// defaultMode is the safest mode that the check is made for.
func (c *Check) defaultMode() string {
	switch {
	case c.wrapper != nil:
		return CheckWrapper
	case c.argv != nil && c.argv.uses&useStaged != 0:
		return CheckStaged
	}
	return CheckAuto
}

// checkMode reports a mode that does not go with what the check looks at.
func (b *block) checkMode(c *Check) {
	if c.argv == nil || b.attrs["wrapper"] != nil && c.wrapper == nil {
		return
	}
	inPlace := c.Mode == CheckAuto || c.Mode == CheckOverlay || c.Mode == CheckSwap
	switch {
	case c.Outside && c.Mode == CheckOverlay:
		b.wrong("mode", "mode \"overlay\" goes with no sandbox but the agent's", "Outside of it nobody sees the new files before they are in place: leave out `mode`, or `sandbox`.")
	case c.wrapper != nil && c.argv.uses&useWrapper == 0:
		b.wrong("wrapper", "the check does not look at its `wrapper`", "Let `command` name it, without quotes: command = [\"PROGRAM\", wrapper].")
	case c.wrapper != nil && (c.argv.uses|c.wrapper.uses)&useStaged == 0:
		b.wrong("wrapper", "the check does not look at the new files", "Let `wrapper` name them where they are staged: ${staged[\"/etc/…\"]}.")
	case !inPlace && c.Mode != c.defaultMode():
		b.wrong("mode", fmt.Sprintf("mode \"%s\" needs `%[1]s` in the check", c.Mode),
			"\"staged\": let `command` say staged[\"/etc/…\"]. \"wrapper\": add wrapper = \"…\". Or leave `mode` out.")
	}
}

// A Verify tells after a reload whether the service has taken the files in.
type Verify struct {
	Command *Command // nil: Workers tells
	// Workers is the file with the number of the process that must have new
	// children within Within.
	Workers string
	Within  time.Duration
}

const defaultWithin = 10 * time.Second

// VerifyArgv returns the argv that verifies a reload; nil if there is none.
func (r *Rule) VerifyArgv() ([]string, error) {
	if r.Verify == nil || r.Verify.Command == nil {
		return nil, nil
	}
	argv, err := r.Verify.Command.args(&scope{})
	if err != nil {
		return nil, fmt.Errorf("cannot evaluate verify of rule %q: %w", r.Name, err)
	}
	return argv, nil
}

// VerifyOptions returns how to run what verifies a reload; zero if there is
// nothing to run.
func (r *Rule) VerifyOptions() CommandOptions {
	if r.Verify == nil {
		return CommandOptions{}
	}
	return r.Verify.Command.options()
}

// verifyNone takes the word of a reload whose consumer would be verified.
const verifyNone = "none"

// readVerify reads how a reload is verified; where nothing is said, as the
// consumer that `reload` names has it.
func (b *block) readVerify(reload string) *Verify {
	attr, c := b.attrs["verify"], b.child("verify")
	if attr != nil && oneWord(attr.Expr) == verifyNone {
		return nil
	}
	if (attr != nil || c != nil) && b.attrs["reload"] == nil && b.child("reload") == nil {
		at := b.at
		if attr != nil {
			at = attr.NameRange
		}
		b.problem(at, "`verify` without `reload`", "It tells whether a reload has worked: add `reload`, or leave it out.")
		return nil
	}
	var in *block
	switch {
	case attr == nil && c == nil:
		if in = b.impliedVerify(reload); in == nil {
			return nil
		}
	default:
		var used string
		if in, used = b.commandBlock("verify"); attr != nil && used == "" {
			return &Verify{Command: &Command{Timeout: defaultTimeout, argv: b.readArgv("verify", "verify", 0)}}
		}
	}
	if in == nil {
		return nil
	}
	return in.readVerifyBody()
}

func (b *block) readVerifyBody() *Verify {
	if b.attrs["workers"] == nil {
		return &Verify{Command: b.readCommandBody("verify", 0, 0)}
	}
	b.refuse([]string{"command", "env", "user", "sandbox"}, "has no meaning beside `workers`", "Keep one of them.")
	v := &Verify{Workers: b.str("workers"), Within: b.duration("timeout", defaultWithin, time.Millisecond)}
	if !strings.HasPrefix(v.Workers, "/") {
		b.wrong("workers", fmt.Sprintf("`workers` cannot be \"%s\"", printable(v.Workers)), "It is the absolute path of a file with the number of the main process: workers = \"/run/nginx.pid\".")
	}
	return v
}

// impliedVerify returns the `verify` of the consumer that `reload` uses, with
// the same values; nil if it has none.
func (b *block) impliedVerify(used string) *block {
	if used == "" {
		return nil
	}
	if root := b.consumer(used); root == nil || root.child("verify") == nil {
		return nil
	}
	if c := b.child("reload"); c != nil {
		s := b.open(c.Body, c.DefRange, shape{what: "a `reload` block", attrs: commandAttrs["reload"]})
		return s.use("verify", used, c.DefRange, s.expression("with", spec{what: "`with`", want: cty.Map(cty.String)}))
	}
	return b.use("verify", used, b.at, nil)
}

// runtimeAddress is where a haproxy can be told of changes: a path, or an
// address as in its own `stats socket`.
var runtimeAddress = regexp.MustCompile(`^(/.*|ipv4@[0-9.]+:[0-9]+|ipv6@\[?[0-9a-fA-F:.]+\]?:[0-9]+|unix@/.*)$`)

// readRuntime reads where a running haproxy can be told of changes.
func (b *block) readRuntime(r *Render) {
	r.Runtime, r.Drain = b.str("runtime"), b.duration("drain", 0, 0)
	switch {
	case b.attrs["runtime"] == nil:
		b.refuse([]string{"drain"}, "has no meaning without `runtime`", "It is how long a server that goes may finish what it is at, which haproxy is told over its socket: add runtime = \"/run/haproxy/admin.sock\".")
	case r.Runtime == "":
	case !runtimeAddress.MatchString(r.Runtime) || slices.Contains(strings.Split(r.Runtime, "/"), ".."):
		b.wrong("runtime", fmt.Sprintf("`runtime` cannot be \"%s\"", printable(r.Runtime)), "Write the address of haproxy's `stats socket`: \"/run/haproxy/admin.sock\" or \"ipv4@127.0.0.1:9999\".")
	case r.Reload == nil:
		b.wrong("runtime", "`runtime` without `reload`", "Not every change can be told over a socket: add reload = \"haproxy\".")
	}
}
