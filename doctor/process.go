package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"muster/command"
)

// A process is the agent's, or this one in its place: what it may do, and what
// it sees of the files.
type process struct {
	pid    int    // 0: this one
	uid    int    // if pid is not 0
	groups []int  // likewise
	PATH   string // likewise; empty: not known
	root   string // where its / can be seen; empty: as here
}

// own reports whether it has this process's rights.
func (p process) own() bool { return p.pid == 0 || p.uid == os.Geteuid() }

// user is who it runs as.
func (p process) user() int {
	if p.pid == 0 {
		return os.Geteuid()
	}
	return p.uid
}

// path is where its path is seen from here.
func (p process) path(path string) string { return filepath.Join(p.root, path) }

// sandboxed reports whether it sees other mounts than this process does.
func (p process) sandboxed() bool {
	if p.pid == 0 {
		return false
	}
	here, err := os.Readlink("/proc/self/ns/mnt")
	there, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.pid))
	return err == nil && err2 == nil && here != there
}

// environ is the environment in which it runs commands.
func (p process) environ(extra map[string]string) []string {
	env := command.BaseEnv(extra)
	if _, given := extra["PATH"]; p.PATH != "" && !given {
		env = append(env, "PATH="+command.CompletePath(p.PATH))
	}
	return env
}

// mayWrite reports whether it may make files in a directory. Of another user's
// process only the mode tells; access control lists are not looked at.
func (p process) mayWrite(dir string) bool {
	if p.own() {
		return accessible(p.path(dir))
	}
	info, err := os.Stat(p.path(dir))
	if err != nil || p.uid == 0 {
		return err == nil
	}
	st, mode := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
	if int(st.Uid) == p.uid {
		return mode&0o300 == 0o300
	}
	for _, group := range p.groups {
		if int(st.Gid) == group {
			return mode&0o030 == 0o030
		}
	}
	return mode&0o003 == 0o003
}

// variable returns a variable of an environment as in /proc/PID/environ.
func variable(environ, name string) string {
	for entry := range strings.SplitSeq(environ, "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
