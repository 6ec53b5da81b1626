package muster_test

import (
	"net"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// notifySocket is `notify-socket`: it takes the part of the service manager
// in sd_notify(3), for the processes started from then on, and writes what it
// is told to notify.log.
func notifySocket(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 0 || neg {
		ts.Fatalf("usage: notify-socket")
	}
	path := ts.MkAbs("notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	log, err := os.Create(filepath.Join(filepath.Dir(path), "notify.log"))
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer log.Close()
		message := make([]byte, 4096)
		for {
			n, err := conn.Read(message)
			if err != nil {
				return // closed
			}
			_, _ = log.Write(append(message[:n:n], '\n'))
		}
	}()
	ts.Defer(func() { conn.Close(); <-done })
	ts.Setenv("NOTIFY_SOCKET", path)
}
