package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A family is a process's descendants, as far as they could be found: all
// whose line of parents was unbroken when looked at. By number, with the time
// of their start, for a number may come to mean another process.
type family map[int]string

// find adds the descendants of the process called root, and of those found
// before.
func (f *family) find(root int) {
	type process struct {
		parent int
		start  string
	}
	all := map[int]process{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if parent, start, ok := procStat(path); ok {
			all[pid] = process{parent, start}
		}
	}
	if *f == nil {
		*f = family{}
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range all {
			start, mine := (*f)[p.parent]
			mine = mine && start == all[p.parent].start
			if _, known := (*f)[pid]; !known && (mine || p.parent == root) {
				(*f)[pid] = p.start
				grown = true
			}
		}
	}
}

// procStat reads the number of a process's parent and the time of its start,
// fields 4 and 22 of proc_pid_stat(5).
func procStat(path string) (parent int, start string, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, "", false
	}
	// the second field is the program's name in parentheses, with anything in it
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, "", false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[19], err == nil
}

// signal sends sig to each of them that is still the process that was found.
func (f family) signal(sig syscall.Signal) {
	for pid, start := range f {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// what is signalled is what fd was opened for, whatever comes later
		if _, now, ok := procStat("/proc/" + strconv.Itoa(pid) + "/stat"); ok && now == start {
			_ = unix.PidfdSendSignal(fd, sig, nil, 0)
		}
		unix.Close(fd)
	}
}
