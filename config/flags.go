package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// Flags is what the command line said. The zero value said nothing.
type Flags struct {
	// Config is a muster.hcl or a directory of *.hcl; empty means DefaultPath.
	Config string
	// SerfFiles are Serf's JSON files and directories of them, in order.
	SerfFiles []string

	settings []setting
}

// Add defines every flag of `muster agent` that says the same as a key
// of muster.hcl, all of Serf's own among them.
func (f *Flags) Add(fs *pflag.FlagSet) {
	f.addConfig(fs)
	files := (*serfFiles)(&f.SerfFiles)
	fs.Var(files, "config-file", "`FILE` in Serf's JSON; repeatable")
	fs.Var(files, "config-dir", "`DIR` of *.json in Serf's JSON; repeatable")
	for _, k := range keys {
		if k.flag != "" {
			f.addKey(fs, k)
		}
	}
}

// AddPathFlags defines the flags of a command that works on what an agent
// works on, without being one: --config, --rules and --state.
func (f *Flags) AddPathFlags(fs *pflag.FlagSet) {
	f.addConfig(fs)
	f.addKeys(fs, "rules", "state")
}

// says reports whether a flag gives a key a value.
func (f *Flags) says(block, name string) bool {
	return slices.ContainsFunc(f.settings, func(s setting) bool { return s.key.block == block && s.key.name == name })
}

// AddAttachFlag defines --attach, for a command that may ask a Serf agent.
func (f *Flags) AddAttachFlag(fs *pflag.FlagSet) { f.addKeys(fs, "attach") }

func (f *Flags) addKeys(fs *pflag.FlagSet, flags ...string) {
	for _, k := range keys {
		if slices.Contains(flags, k.flag) {
			f.addKey(fs, k)
		}
	}
}

func (f *Flags) addConfig(fs *pflag.FlagSet) {
	fs.StringVar(&f.Config, "config", "", "`PATH` of muster.hcl, or of a directory of *.hcl (default "+DefaultPath+")")
}

// addKey defines the flag of a key.
func (f *Flags) addKey(fs *pflag.FlagSet, k key) {
	flag := fs.VarPF(&flagValue{flags: f, key: k}, k.flag, "", k.usage)
	flag.Hidden = k.usage == ""
	if isBool(k.field(&Config{})) {
		flag.NoOptDefVal = "true"
	}
}

func isBool(field any) bool {
	switch field.(type) {
	case *bool, *inverse:
		return true
	}
	return false
}

// A flagValue is a flag that sets a key.
type flagValue struct {
	flags *Flags
	key   key
	text  string
}

func (v *flagValue) Set(text string) error {
	if err := parse(text, v.key.field(&Config{})); err != nil {
		return err
	}
	v.text = text
	v.flags.settings = append(v.flags.settings, setting{key: v.key, apply: func(c *Config) {
		field := v.key.field(c)
		// It parsed a moment ago.
		_ = parse(text, field)
		v.key.resolve(field, "")
	}})
	return nil
}

func (v *flagValue) String() string { return v.text }

// Type is the word that the help shows where the usage names none.
func (v *flagValue) Type() string {
	if isBool(v.key.field(&Config{})) {
		return "bool"
	}
	return "value"
}

type serfFiles []string

func (s *serfFiles) Set(path string) error { *s = append(*s, path); return nil }
func (s *serfFiles) String() string        { return "" }
func (s *serfFiles) Type() string          { return "path" }
