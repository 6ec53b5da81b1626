//go:build darwin || freebsd

package command

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitExit blocks until the process has ended and leaves it a zombie, as on
// Linux; see kqueue(2). One that has ended already cannot be watched.
func awaitExit(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	var change unix.Kevent_t
	unix.SetKevent(&change, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	change.Fflags = unix.NOTE_EXIT
	for {
		_, err := unix.Kevent(queue, []unix.Kevent_t{change}, make([]unix.Kevent_t, 1), nil)
		if err != unix.EINTR {
			return
		}
	}
}

// keepNone has no program inherit a file of this process.
func keepNone() {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// inMemory returns b as a file without a name: unlike a pipe it needs nobody
// to feed it, and a program that does not read it blocks nobody.
func inMemory(b []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "stdin-")
	if err != nil {
		return nil, fmt.Errorf("cannot make its standard input: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot hide its standard input: %w", err)
	}
	return filled(f, b)
}

// A family is a process's descendants. Here they are not looked for: what left
// the process group is on its own, whatever Command.Whole says.
type family struct{}

func (family) find(int)              {}
func (family) signal(syscall.Signal) {}
