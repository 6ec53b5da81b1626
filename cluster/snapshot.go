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
			if clock, err := strconv.ParseUint(text, 10, 64); err == nil && clock <= maxClock {
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

// eventClock begins the snapshot's lines about the last user event heard.
const eventClock = "event-clock: "

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
	if heard <= since {
		return nil
	}
	data, err := os.ReadFile(n.c.SnapshotPath)
	if err != nil {
		return fmt.Errorf("cannot read snapshot: %w", err)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte(eventClock)) {
			out.Write(line)
		}
	}
	if n := out.Len(); n > 0 && out.Bytes()[n-1] != '\n' {
		out.WriteByte('\n') // the last line was cut off
	}
	fmt.Fprintf(&out, "%s%d\n", eventClock, since)
	if err := replaceFile(n.c.SnapshotPath, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot set back snapshot: %w", err)
	}
	return nil
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
