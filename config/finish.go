package config

import (
	"cmp"
	"fmt"
	"os"
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

// readableKeys warns of encryption keys that everyone on this machine can read.
func (l *loader) readableKeys(c Config) {
	for _, s := range l.settings {
		if s.key.name == "encrypt_key" && !s.at.Empty() && readableByAll(s.at.Filename) {
			l.diagnose(hcl.Diagnostics{{Severity: hcl.DiagWarning, Subject: &s.at, Summary: "everyone on this machine can read this key",
				Detail: fmt.Sprintf("chmod o-r %s, or keep the key in a keyring_file of mode 0600.", s.at.Filename)}})
		}
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
