package muster_test

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// machineInit is the first process of a machine. Its file systems can be
// written like those of the machine it runs on, but what is written lies in its
// memory and is gone with it. $1 is its name, $2 a directory that it may use.
const machineInit = `
set -eu
trap 'exit 0' TERM
mount --make-rprivate /
hostname "$1"
mount -t tmpfs tmpfs "$2"
for dir in etc usr var srv root; do
  mkdir -p "$2/$dir.new" "$2/$dir.work"
  mount -t overlay -o "lowerdir=/$dir,upperdir=$2/$dir.new,workdir=$2/$dir.work" overlay "/$dir"
done
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
ip link set lo up
touch "$2/../$1.up"
sleep infinity &
wait
`

// machineCommand is `machine NAME`. The machine has namespaces of its own: for
// processes, so that all of them end with its first one; for mounts, the network
// and the host's name. None of them has a name outside or is kept by anything but
// these processes, so that nothing of it is left, however the test ends.
// `exec ./on-NAME PROGRAM ARG...` runs a program on it.
func machineCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: machine NAME")
	}
	name, disk := args[0], ts.MkAbs(args[0]+"-disk")
	ts.Check(os.Mkdir(disk, 0o755))
	p := startIn(ts, name, syscall.CLONE_NEWPID|syscall.CLONE_NEWNS|syscall.CLONE_NEWNET|syscall.CLONE_NEWUTS|syscall.CLONE_NEWIPC,
		[]string{"sh", "-c", machineInit, "machine", name, disk})
	pid := strconv.Itoa(p.cmd.Process.Pid)
	ts.Setenv(name, pid)
	on := fmt.Sprintf("#!/bin/sh\nexec nsenter -t %s -m -u -n -i -p -- env -u MUSTER_SOCKET HOME=/root sh -c 'cd \"$0\" && exec \"$@\"' %s \"$@\"\n",
		pid, ts.MkAbs("."))
	ts.Check(os.WriteFile(ts.MkAbs("on-"+name), []byte(on), 0o755))
	// It may fail on the way: the script would wait for nothing.
	eventually(ts, false, []string{"exec", "sh", "-c", "test -e " + name + ".up || ! kill -0 " + pid})
	if _, err := os.Stat(ts.MkAbs(name + ".up")); err != nil {
		ts.Fatalf("machine %s did not come up:\n%s", name, tail(p.log))
	}
}
