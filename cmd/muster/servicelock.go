package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long a command waits for others that change the same tag.
const lockWait = 10 * time.Second

// turn waits until no other command of this host changes the services of the
// agent at socket, and returns what lets the next one go. The lock is one of
// the directory that the socket is in, and leaves nothing behind. Where there
// is none to be had, or not in time, the command goes on without.
func turn(ctx context.Context, socket string) (done func()) {
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		return func() {}
	}
	for until := time.Now().Add(lockWait); time.Now().Before(until); {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return func() { dir.Close() }
		}
	}
	return func() { dir.Close() }
}
