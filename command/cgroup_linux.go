package command

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A cgroup holds everything that one command starts, whatever it does to get
// away: a control group (version 2) below this process's own. A nil cgroup is
// none, and its methods do nothing. See the kernel's
// Documentation/admin-guide/cgroup-v2.rst.
type cgroup struct {
	path   string
	dir    *os.File
	killed bool
}

const (
	cgroupPrefix = "muster-run-" // then seconds since 1970, a dash, and something random
	// A cgroup that is empty and older than this was left by a command that
	// something survived, or by a process that was killed.
	cgroupStale = time.Minute
)

// newCgroup makes a cgroup, or returns nil where that is not possible: there
// is no version 2, or it is not this process's to change.
func newCgroup(now time.Time) *cgroup {
	parent, err := ownCgroup()
	if err != nil {
		return nil
	}
	sweep(parent, now)
	path := filepath.Join(parent, fmt.Sprintf("%s%d-%s", cgroupPrefix, now.Unix(), rand.Text()[:8]))
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		_ = os.Remove(path)
		return nil
	}
	return &cgroup{path: path, dir: dir}
}

// ownCgroup returns the directory of this process's own cgroup.
func ownCgroup() (string, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	path, found := "", false
	for line := range strings.Lines(string(own)) {
		if path, found = strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); found {
			break
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || !found {
		return "", errors.Join(err, errors.New("no cgroup of version 2"))
	}
	for line := range strings.Lines(string(mounts)) {
		place, kind, _ := strings.Cut(line, " - ")
		if f := strings.Fields(place); len(f) > 4 && strings.HasPrefix(kind, "cgroup2 ") && f[3] == "/" {
			dir := filepath.Join(f[4], path)
			_, err := os.Stat(filepath.Join(dir, "cgroup.procs"))
			return dir, err
		}
	}
	return "", errors.New("cgroups of version 2 are not mounted")
}

// sweep removes what nothing is in any more.
func sweep(parent string, now time.Time) {
	old, _ := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*"))
	for _, path := range old {
		made, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), cgroupPrefix), "-")
		if sec, err := strconv.ParseInt(made, 10, 64); err == nil && now.Sub(time.Unix(sec, 0)) > cgroupStale {
			_ = syscall.Rmdir(path) // one that is not empty stays
		}
	}
}

// startIn starts cmd in the cgroup; outside of it where the kernel does not
// want that.
func startIn(cmd *exec.Cmd, g *cgroup) error {
	if g == nil {
		return startBusy(cmd)
	}
	within := *cmd
	attr := *cmd.SysProcAttr
	attr.UseCgroupFD, attr.CgroupFD = true, int(g.dir.Fd())
	within.SysProcAttr = &attr
	err := startBusy(&within)
	if err == nil {
		*cmd = within
		return nil
	}
	return startBusy(cmd)
}

// pids lists the processes in g.
func (g *cgroup) pids() []int {
	if g == nil {
		return nil
	}
	text, _ := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	var pids []int
	for word := range bytes.FieldsSeq(text) {
		if pid, err := strconv.Atoi(string(word)); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (g *cgroup) signal(sig syscall.Signal) {
	for _, pid := range g.pids() {
		_ = syscall.Kill(pid, sig)
	}
}

// kill ends all that is in g at once. Kernels before 5.14 have no file for
// that; there it takes a few rounds, for what is forked in between.
func (g *cgroup) kill() {
	if g == nil {
		return
	}
	g.killed = true
	if os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	for range 100 {
		if len(g.pids()) == 0 {
			return
		}
		g.signal(syscall.SIGKILL)
		time.Sleep(time.Millisecond)
	}
}

// close removes g if nothing is in it, which may take the kernel a moment.
// What a command left behind on purpose keeps it.
func (g *cgroup) close() {
	if g == nil {
		return
	}
	g.dir.Close()
	for wait := time.Millisecond; wait <= 128*time.Millisecond; wait *= 2 {
		if syscall.Rmdir(g.path) == nil || !g.killed && len(g.pids()) > 0 {
			return
		}
		time.Sleep(wait)
	}
}
