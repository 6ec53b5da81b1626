package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// One message can push the clocks to their ceiling; a restart brings them
// back, whatever the snapshot says.
func TestMischiefOutlivesNoRestart(t *testing.T) {
	t.Parallel()
	const ceiling = 1 << 48
	path := filepath.Join(t.TempDir(), "snapshot")
	text := fmt.Sprintf("event-clock: 7\nclock: 9\nquery-clock: 3\nclock: %d\nevent-clock: %[1]d\nquery-clock: %[1]d\n", ceiling-1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), SnapshotPath: path})
	heard := n.Subscribe(16)
	defer heard.Close()
	n.waitFor("n:alive")
	send := func(name string) cluster.Event {
		t.Helper()
		if err := n.Send(t.Context(), name, nil, false); err != nil {
			t.Fatal(err)
		}
		return next(t, heard, cluster.EventUser)
	}
	if e := send("calm"); e.LTime != 8 {
		t.Errorf("after a start with a snapshot of mischief, an event is numbered %d", e.LTime)
	}
	stats := n.Stats()["serf"]
	for _, clock := range []string{"member_time", "query_time"} {
		if len(stats[clock]) > 3 {
			t.Errorf("%s is %s", clock, stats[clock])
		}
	}
	if err := clustertest.Send(n.Info().Bind, clustertest.UserEvent("mischief", nil, ceiling-1)); err != nil {
		t.Fatal(err)
	}
	next(t, heard, cluster.EventUser)
	if e := send("storm"); e.LTime != ceiling {
		t.Errorf("after mischief, an event is numbered %d", e.LTime)
	}
	n.leave()

	n = start(t, cluster.Config{Name: "n", Bind: loopback(), SnapshotPath: path, RejoinAfterLeave: true})
	heard = n.Subscribe(16)
	defer heard.Close()
	n.waitFor("n:alive")
	if e := send("calm again"); e.LTime < 9 || e.LTime > cluster.SaneClock {
		t.Errorf("after a restart, an event is numbered %d", e.LTime)
	}
	n.leave()
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), fmt.Sprint(ceiling)) {
		t.Errorf("the snapshot has mischief: %q, %v", data, err)
	}
}
