package command

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// An identity is who a command runs as. The zero identity is this process.
type identity struct {
	credential *syscall.Credential
	home       string
}

// identity looks up the command's user and all of that user's groups.
func (c Command) identity() (identity, error) {
	if c.User == "" {
		return identity{}, nil
	}
	fail := func(err error) (identity, error) {
		return identity{}, fmt.Errorf("cannot run %s as user %s: %w", c.name(), c.User, err)
	}
	u, err := user.Lookup(c.User)
	if _, numeric := strconv.ParseUint(c.User, 10, 32); err != nil && numeric == nil {
		u, err = user.LookupId(c.User)
	}
	if err != nil {
		return fail(errors.New("no such user"))
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return identity{home: u.HomeDir}, nil
	}
	names, err := u.GroupIds()
	if err != nil {
		return fail(fmt.Errorf("cannot look up its groups: %w", err))
	}
	cred := &syscall.Credential{}
	if cred.Uid, err = id(u.Uid); err != nil {
		return fail(err)
	}
	if cred.Gid, err = id(u.Gid); err != nil {
		return fail(err)
	}
	for _, name := range names {
		gid, err := id(name)
		if err != nil {
			return fail(err)
		}
		cred.Groups = append(cred.Groups, gid)
	}
	return identity{credential: cred, home: u.HomeDir}, nil
}

func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// environ is env with the identity's HOME in place of this process's own.
func (i identity) environ(env []string) []string {
	result := make([]string, 0, len(env))
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "HOME="); ok && i.home != "" && value == home() {
			entry = "HOME=" + i.home
		}
		result = append(result, entry)
	}
	return result
}
