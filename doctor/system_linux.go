package doctor

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processAt is the process that listens at a socket. The kernel says who it is
// (SO_PEERCRED of unix(7)); what it sees, /proc does, to root and to its user.
func processAt(socket string) process {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return process{}
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return process{}
	}
	var peer *unix.Ucred
	if raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil || peer.Pid <= 0 {
		return process{}
	}
	p := process{pid: int(peer.Pid), uid: int(peer.Uid), groups: []int{int(peer.Gid)}}
	dir := fmt.Sprintf("/proc/%d/", p.pid)
	if text, err := os.ReadFile(dir + "status"); err == nil {
		p.groups = append(p.groups, groupsOf(string(text))...)
	}
	if text, err := os.ReadFile(dir + "environ"); err == nil {
		p.PATH = variable(string(text), "PATH")
	}
	if _, err := os.Stat(dir + "root/"); err == nil && p.sandboxed() {
		p.root = dir + "root"
	}
	return p
}

// groupsOf reads the line "Groups:" of /proc/PID/status.
func groupsOf(status string) (groups []int) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "Groups:"); ok {
			for _, word := range strings.Fields(rest) {
				if n, err := strconv.Atoi(word); err == nil {
					groups = append(groups, n)
				}
			}
		}
	}
	return groups
}

// accessible reports whether this process may make files in a directory.
func accessible(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// space says how many bytes are free for users where path is, and whether
// nothing can be written there at all.
func space(path string) (free uint64, readOnly bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, false, err
	}
	return st.Bavail * uint64(st.Bsize), st.Flags&unix.ST_RDONLY != 0, nil
}

// synchronised reports whether the kernel's clock is kept by somebody
// (adjtimex(2)); known, whether that can be told.
func synchronised() (yes, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}
