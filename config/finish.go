package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"muster/rules"
)

// build applies the settings in order, leaving out one; -1 leaves out none.
func (l *loader) build(without int) Config {
	c := Default()
	for i, s := range l.settings {
		if i != without {
			s.apply(&c)
		}
	}
	c.Files = l.files
	c.nameNode(os.DirFS("/"))
	if c.Attach != "" {
		c.RPC.Addr, c.RPC.Explicit = Off, false // the other agent serves it
	}
	if c.HTTP.Address == Off {
		c.HTTP.Address = ""
	}
	if c.HTTP.Address != "" {
		c.HTTP.TokenFile = cmp.Or(c.HTTP.TokenFile, filepath.Join(c.State.Dir, "token"))
		c.HTTP.ReadTokenFile = cmp.Or(c.HTTP.ReadTokenFile, filepath.Join(c.State.Dir, "read-token"))
	}
	if _, err := os.Stat(DefaultTrustedKeys); err == nil && c.TrustedKeys == "" {
		c.TrustedKeys = DefaultTrustedKeys
	}
	return c
}

// finish makes the configuration and looks for what is wrong with it as a
// whole.
func (l *loader) finish() (Config, rules.Problems) {
	c := l.build(-1)
	for _, err := range c.mistakes() {
		l.blame(err)
	}
	l.readableKeys(c)
	l.exposed(c)
	l.idle(c)
	slices.SortStableFunc(l.problems, func(a, b rules.Problem) int {
		return cmp.Or(slices.Index(l.files, a.File)-slices.Index(l.files, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return c, l.problems
}

// blame reports a mistake at the setting that makes it: the last one without
// which it is gone.
func (l *loader) blame(mistaken error) {
	for i, s := range slices.Backward(l.settings) {
		cured := !slices.ContainsFunc(l.build(i).mistakes(), func(err error) bool { return err.Error() == mistaken.Error() })
		if !cured {
			continue
		}
		if s.at.Empty() {
			l.fail("--%s: %v", s.key.flag, mistaken)
		} else {
			l.diagnose(mistake(s.at, mistaken.Error(), ""))
		}
		return
	}
	l.fail("%v", mistaken)
}

// idle warns of settings that have no effect with attach. They may be meant
// for another time, or stand in the other agent's own files.
func (l *loader) idle(c Config) {
	for _, s := range l.settings {
		if c.Attach == "" || s.key.attached || s.key.block != "cluster" && s.key.block != mdnsBlock {
			continue
		}
		why := fmt.Sprintf("no effect with attach: the agent at %s has its own setting", c.Attach)
		if s.at.Empty() {
			l.problems = append(l.problems, rules.Problem{Severity: rules.Warning, Summary: "--" + s.key.flag + ": " + why, Detail: "Leave it out."})
			continue
		}
		l.diagnose(hcl.Diagnostics{{Severity: hcl.DiagWarning, Subject: &s.at, Summary: s.key.name + ": " + why, Detail: "Leave it out."}})
	}
}

// readableKeys warns of secrets that everyone on this machine can read.
func (l *loader) readableKeys(c Config) {
	for _, s := range l.settings {
		if !s.key.secret || s.at.Empty() || !readableByAll(s.at.Filename) {
			continue
		}
		remedy := fmt.Sprintf("chmod o-r %s", s.at.Filename)
		if s.key.name == "encrypt_key" {
			remedy += ", or keep the key in a keyring_file of mode 0600"
		}
		l.diagnose(hcl.Diagnostics{{Severity: hcl.DiagWarning, Subject: &s.at, Summary: "everyone on this machine can read this key", Detail: remedy + "."}})
	}
	if file := c.Cluster.KeyringFile; file != "" && readableByAll(file) {
		l.problems = append(l.problems, rules.Problem{Severity: rules.Warning, File: file,
			Summary: "everyone on this machine can read the keys in keyring_file", Detail: "chmod 0600 " + file})
	}
}

func readableByAll(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}
