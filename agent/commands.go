package agent

import (
	"muster/command"
	"muster/reconcile"
	"muster/rules"
)

// addCommands gives the unit the rule's check and reload.
func (c *compiled) addCommands(u *reconcile.Unit) error {
	u.Check, u.Live = c.check(), c.live()
	argv, err := c.ReloadArgv()
	if argv == nil || err != nil {
		return err
	}
	reload := newCommand(argv, c.ReloadOptions())
	u.Reload = &reload
	u.Verify, err = c.verify()
	return err
}

// check is the rule's check as reconcile takes it.
func (c *compiled) check() *reconcile.Check {
	if c.Check == nil {
		return nil
	}
	options := c.CheckOptions()
	check := &reconcile.Check{
		Mode: reconcile.CheckMode(c.Check.Mode),
		Command: func(at reconcile.Standing) (command.Command, error) {
			argv, err := c.CheckArgv(at.Files, at.Wrapper)
			return newCommand(argv, options), err
		},
	}
	if c.Check.Wraps() {
		check.Wrapper = c.CheckWrapper
	}
	return check
}

// verify is what verifies the rule's reload, as reconcile takes it.
func (c *compiled) verify() (*reconcile.Verify, error) {
	if c.Verify == nil {
		return nil, nil
	}
	if c.Verify.Command == nil {
		return reconcile.Workers(c.Verify.Workers, c.Verify.Within), nil
	}
	argv, err := c.VerifyArgv()
	if err != nil {
		return nil, err
	}
	verify := newCommand(argv, c.VerifyOptions())
	return &reconcile.Verify{Command: &verify}, nil
}

func newCommand(argv []string, o rules.CommandOptions) command.Command {
	return command.Command{Argv: argv, Env: command.BaseEnv(o.Env), Timeout: o.Timeout, User: o.User, Outside: o.Outside}
}

// shared lists the commands that the rule may share with others. A check of
// staged files is about those files alone.
func (c *compiled) shared() [][]string {
	var argvs [][]string
	if c.Check != nil && c.Check.Mode != rules.CheckStaged && c.Check.Mode != rules.CheckWrapper {
		if argv, err := c.CheckArgv(nil, ""); err == nil {
			argvs = append(argvs, argv)
		}
	}
	if argv, err := c.ReloadArgv(); err == nil && argv != nil {
		argvs = append(argvs, argv)
	}
	return argvs
}
