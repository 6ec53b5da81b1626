package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"muster/human"
	"muster/reconcile"
)

const (
	// little is how many bytes of free space are few: the journal and the
	// staged files need some.
	little = 16 << 20
)

// destinations looks whether the agent could write the files of its rules.
func (e *examination) destinations(context.Context) Findings {
	r := report{check: "destinations"}
	if e.program == nil {
		r.skip("there are no rules, or they have mistakes")
		return r.found
	}
	if e.barred() {
		r.skip("this user may not ask the agent, whose rights count")
		return r.found
	}
	self, dirs := e.self(), map[string]bool{}
	for _, rule := range e.program.Set.Rules {
		if !rule.InForce(self) {
			continue
		}
		for _, t := range rule.Templates {
			if dir, ok := t.DestinationDir(); ok && !dirs[dir] {
				dirs[dir] = true
				e.destination(&r, rule.Name, dir, t.CreateDestDirs)
			}
		}
	}
	if len(dirs) == 0 {
		return r.orOK("the rules in force write no file whose directory is known beforehand")
	}
	return r.orOK("%s, all of which the agent can write to", directories(len(dirs)))
}

func directories(n int) string {
	if n == 1 {
		return "1 directory"
	}
	return fmt.Sprintf("%d directories", n)
}

// destination looks at one directory.
func (e *examination) destination(r *report, rule, dir string, create bool) {
	at, err := e.existing(dir)
	switch {
	case err != nil:
		r.add(Problem, "Make it a directory that the agent can use.", "rule %s: cannot look at %s: %v", rule, dir, err)
		return
	case at != dir && !create:
		r.add(Problem, "Install the program whose directory it is, make it, or say create_dest_dirs = true in the template.",
			"rule %s: directory %s does not exist", rule, dir)
		return
	}
	if e.usable(r, "rule "+rule, at) && e.of.path(at) == at && e.of.own() {
		if err := reconcile.CheckDir(at); err != nil {
			r.add(Problem, "Nobody but its owner, root and the agent may be able to rename files in it.", "rule %s: %v", rule, err)
		}
	}
}

// existing is dir, or the nearest directory above it that exists.
func (e *examination) existing(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(e.of.path(at))
		switch {
		case err == nil && !info.IsDir():
			return at, fmt.Errorf("%s is no directory", at)
		case err == nil:
			return at, nil
		case !errors.Is(err, fs.ErrNotExist) || at == "/":
			return at, bare(err)
		}
	}
}

// usable reports whether the agent can make files in a directory that exists,
// and says why not.
func (e *examination) usable(r *report, what, dir string) bool {
	free, readOnly, err := space(e.of.path(dir))
	switch {
	case err != nil:
		r.add(Problem, "Look at the file system it is on.", "%s: cannot look at %s: %v", what, dir, err)
		return false
	case readOnly:
		remedy := "Mount it for writing, or choose another directory."
		if e.of.sandboxed() {
			remedy = "The unit's sandbox may make it so: `systemctl edit muster`, with ReadWritePaths=" + dir + " below [Service]."
		}
		r.add(Problem, remedy, "%s: %s is on a file system that is read-only for the agent", what, dir)
		return false
	case !e.of.mayWrite(dir):
		r.add(Problem, "Give that user write permission for the directory, or run the agent as another one.",
			"%s: user %d, as whom the agent runs, may not write to %s", what, e.of.user(), dir)
		return false
	case free < little:
		r.add(Problem, "Free some: nothing can be written without.", "%s: there are %d KiB of free space where %s is", what, free>>10, dir)
		return false
	}
	return true
}

// state looks at the state directory.
func (e *examination) state(context.Context) Findings {
	r, dir := report{check: "state"}, e.Config.Config.State.Dir
	if e.barred() {
		r.skip("this user may not ask the agent, whose rights count")
		return r.found
	}
	at, err := e.existing(dir)
	if err != nil {
		r.add(Problem, "Choose another with --state.", "cannot look at %s: %v", dir, err)
		return r.found
	}
	if !e.usable(&r, "the state directory", at) {
		return r.found
	}
	if at != dir {
		return r.orOK("%s will be made", dir)
	}
	info, err := os.Stat(e.of.path(dir))
	if err == nil && info.Mode()&0o022 != 0 {
		r.add(Problem, "chmod go-w "+dir, "others may change what is in %s: its mode is %#o", dir, info.Mode().Perm())
	}
	if err == nil {
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != e.of.user() {
			r.add(Problem, "chown it, or choose another with --state.", "%s belongs to user %d, and the agent runs as user %d", dir, uid, e.of.user())
		}
	}
	return r.orOK("%s", dir)
}

// secrets looks who may read the files that hold some. What muster.hcl and the
// keyring hold, config has looked at.
func (e *examination) secrets(context.Context) Findings {
	r, c := report{check: "secrets"}, e.Config.Config
	looked := 0
	look := func(path string, mode fs.FileMode, level Level) {
		info, err := os.Stat(path)
		if path == "" || err != nil {
			return
		}
		looked++
		if info.Mode()&mode != 0 {
			r.add(level, "chmod 0600 "+path, "others can read or change %s: its mode is %#o", path, info.Mode().Perm())
		}
	}
	look(c.Cluster.KeyringFile, 0o077, Warning)
	look(c.HTTP.TLSKey, 0o027, Warning)
	if c.HTTP.Address != "" { // the agent does not start with such tokens
		look(cmp.Or(c.HTTP.TokenFile, filepath.Join(c.State.Dir, "token")), 0o026, Problem)
		look(cmp.Or(c.HTTP.ReadTokenFile, filepath.Join(c.State.Dir, "read-token")), 0o026, Problem)
	}
	look(c.TrustedKeys, 0o022, Problem)
	if looked == 0 {
		return r.orOK("no file of secrets is configured")
	}
	return r.orOK("%s, which others can neither read nor change", human.Count(looked, "file"))
}

// bare is the cause of an error, without the path.
func bare(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
