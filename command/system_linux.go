package command

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// awaitExit blocks until the process has ended and leaves it a zombie. Until it
// is reaped its number, which is the group's too, cannot go to another process:
// so a signal to the group never hits a stranger.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// keepNone has no program inherit a file of this process.
func keepNone() { _ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) }

// inMemory returns b as a file without a name: unlike a pipe it needs nobody
// to feed it, and a program that does not read it blocks nobody.
func inMemory(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make its standard input: %w", err)
	}
	return filled(os.NewFile(uintptr(fd), "stdin"), b)
}
