package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/load"
	"muster/nodes"
)

// reported is a report of n nodes; every tenth has failed, every seventh is a
// stock Serf.
func reported(n int) nodes.Report {
	now := time.Now()
	r := nodes.Report{At: now, Self: "node-0000", Settled: true, Threshold: 8}
	for i := range n {
		one := nodes.Node{
			Name: fmt.Sprintf("node-%04d", i), Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Port: 7946,
			Status: cluster.Alive, Since: now.Add(-time.Hour), RTT: 1500 * time.Microsecond,
		}
		if i%7 != 0 {
			l := load.Load{CPUs: 4, Load1: float64(i%13) / 2, Load5: 1, Load15: 0.5, MemTotal: 8 << 30, MemFree: 2 << 30}
			rate, phi := l.Rate(), 0.25
			one.Load, one.Rate, one.Phi, one.Age, one.Answered = &l, &rate, &phi, 2*time.Second, now
		}
		if i%10 == 3 {
			phi := 42.0
			one.Status, one.Phi, one.Suspected = cluster.Failed, &phi, true
		}
		r.Nodes = append(r.Nodes, one)
	}
	return r
}

func TestPrintNodes(t *testing.T) {
	var out strings.Builder
	r := reported(4)
	r.Nodes[1].Problem = "cannot read\x1b[2J it"
	if err := (&app{out: &out}).printNodes(r); err != nil {
		t.Fatal(err)
	}
	want := `NODE       ADDRESS        STATE   FOR  PHI    RTT    LOAD1  LOAD5  LOAD15  CPUS  USED  MEMORY  RATE  AGE
node-0000  10.0.0.0:7946  alive   60m  -      1.5ms  -      -      -       -     -     -       -     -
node-0001  10.0.0.1:7946  alive   60m  0.2    1.5ms  0.50   1.00   0.50    4     75%   8.0GiB  1.00  2s
node-0002  10.0.0.2:7946  alive   60m  0.2    1.5ms  1.00   1.00   0.50    4     75%   8.0GiB  1.03  2s
node-0003  10.0.0.3:7946  failed  60m  42.0*  1.5ms  1.50   1.00   0.50    4     75%   8.0GiB  1.06  2s

4 nodes, 3 alive, 1 failed, 1 suspected (φ ≥ 8), 3 told their load
node-0001: "cannot read\x1b[2J it"
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A thousand nodes are a line each, all in columns that fit a terminal.
func TestPrintManyNodes(t *testing.T) {
	var out strings.Builder
	if err := (&app{out: &out}).printNodes(reported(1000)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 1+1000+1+1+1 {
		t.Errorf("%d lines", len(lines))
	}
	at := strings.Index(lines[0], "LOAD1")
	for _, line := range lines[1:1001] {
		if utf8.RuneCountInString(line) > 120 || line[at-1] != ' ' || line[at] == ' ' {
			t.Fatalf("%q", line)
		}
	}
}

func TestSortNodes(t *testing.T) {
	for order, want := range map[string]string{
		"name": "node-0000 node-0001 node-0002 node-0003 node-0004",
		"rate": "node-0001 node-0002 node-0003 node-0004 node-0000",
		"phi":  "node-0003 node-0001 node-0002 node-0004 node-0000",
	} {
		r := reported(5)
		r.Nodes[0], r.Nodes[4] = r.Nodes[4], r.Nodes[0]
		sortNodes(r.Nodes, order)
		var names []string
		for _, n := range r.Nodes {
			names = append(names, n.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("by %s: %s", order, got)
		}
	}
}
