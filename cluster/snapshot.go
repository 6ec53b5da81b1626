package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// maxSnapshotLine is more than a line of Serf's snapshot ever has.
const maxSnapshotLine = 4096

// readSnapshot returns the members, by name, that Serf's snapshot says were
// alive, and where, and the Lamport time of the last user event heard. Like
// Serf, it starts afresh at the line of a leave unless rejoin is set. A
// missing file holds none.
//
// The format is that of serf/snapshot.go: "alive: NAME ADDR:PORT",
// "not-alive: NAME", "leave", and clocks.
func readSnapshot(path string, rejoin bool) (peers map[string]netip.AddrPort, heard uint64, err error) {
	peers = map[string]netip.AddrPort{}
	if path == "" {
		return peers, 0, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return peers, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read snapshot: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxSnapshotLine)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "alive: "); ok {
			name, text, _ := strings.Cut(rest, " ")
			if addr, err := netip.ParseAddrPort(text); err == nil && checkName(name) == nil {
				peers[name] = addr
			}
		} else if name, ok := strings.CutPrefix(line, "not-alive: "); ok {
			delete(peers, name)
		} else if text, ok := strings.CutPrefix(line, eventClock); ok {
			if clock, err := strconv.ParseUint(text, 10, 64); err == nil && clock <= SaneClock {
				heard = clock
			}
		} else if line == "leave" && !rejoin {
			clear(peers)
			heard = 0
		}
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("cannot read snapshot %s: %w; remove it to begin anew", path, err)
	}
	return peers, heard, nil
}

// SaneClock is a Lamport time that no cluster counts up to: at 50 events a
// second that takes seven hundred years. A later one is somebody's mischief. It
// is put up with, up to a bound, since all members have heard it, but outlives
// no restart: with all of them started anew a cluster is itself again.
const SaneClock = 1 << 40

// The lines of a snapshot about the latest that was heard.
const (
	statusClock = "clock: "
	eventClock  = "event-clock: "
	queryClock  = "query-clock: "
)

// resume tells the history where an earlier run ended: at Config.Since or,
// without it, where the snapshot, which heard events up to heard, says. Serf
// would not hear again what the snapshot has; one that is ahead of Since,
// because the process ended between the two, is set back.
func (n *Node) resume(heard uint64) error {
	since := n.c.Since
	if since == 0 {
		since = heard
	}
	n.history.resume(since)
	if n.c.SnapshotPath == "" {
		return nil
	}
	data, err := os.ReadFile(n.c.SnapshotPath)
	if err != nil {
		return fmt.Errorf("cannot read snapshot: %w", err)
	}
	data, changed := setBack(data, since)
	if !changed {
		return nil
	}
	if err := replaceFile(n.c.SnapshotPath, data, 0o644); err != nil {
		return fmt.Errorf("cannot set back snapshot: %w", err)
	}
	return nil
}

// setBack returns a snapshot without the user events after since, and without
// clocks that are not sane; changed says that there were some.
func setBack(snapshot []byte, since uint64) (back []byte, changed bool) {
	var out bytes.Buffer
	for line := range bytes.Lines(snapshot) {
		if ahead(string(line), statusClock, SaneClock) || ahead(string(line), queryClock, SaneClock) || ahead(string(line), eventClock, since) {
			changed = true
			continue
		}
		out.Write(line)
	}
	if !changed {
		return snapshot, false
	}
	if n := out.Len(); n > 0 && out.Bytes()[n-1] != '\n' {
		out.WriteByte('\n') // the last line was cut off
	}
	fmt.Fprintf(&out, "%s%d\n", eventClock, since)
	return out.Bytes(), true
}

// ahead reports whether line is of that clock and tells of a time after most.
func ahead(line, clock string, most uint64) bool {
	text, ok := strings.CutPrefix(line, clock)
	if !ok {
		return false
	}
	at, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return err == nil && at > most || errors.Is(err, strconv.ErrRange)
}

// keepSnapshot makes sure that the snapshot exists. Serf dies with the
// process when it compacts a snapshot that somebody has removed.
func keepSnapshot(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cannot keep snapshot: %w", err)
	}
	return f.Close()
}
