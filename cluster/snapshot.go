package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
)

// maxSnapshotLine is more than a line of Serf's snapshot ever has.
const maxSnapshotLine = 4096

// readSnapshot returns the members, by name, that Serf's snapshot says were
// alive, and where. Like Serf, it starts afresh at the line of a leave unless
// rejoin is set. A missing file holds none.
//
// The format is that of serf/snapshot.go: "alive: NAME ADDR:PORT",
// "not-alive: NAME", "leave", and clocks.
func readSnapshot(path string, rejoin bool) (map[string]netip.AddrPort, error) {
	peers := map[string]netip.AddrPort{}
	if path == "" {
		return peers, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return peers, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read snapshot: %w", err)
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
		} else if line == "leave" && !rejoin {
			clear(peers)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read snapshot %s: %w; remove it to begin anew", path, err)
	}
	return peers, nil
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
