package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/fleet"
)

// fleetOf is a fleet of which all but a few are in sync.
func fleetOf(size int) fleet.Report {
	r := fleet.Report{Settled: true}
	for i := range size {
		r.Nodes = append(r.Nodes, fleet.Node{
			Name: fmt.Sprintf("n%04d", i), Status: cluster.Alive, Kind: fleet.Muster, Counts: map[string]int{"in-sync": 3, "not-in-force": 1},
		})
	}
	n := r.Nodes
	n[3].Counts = map[string]int{"in-sync": 1, "held": 1, "failed": 12}
	n[3].Rules = []fleet.Rule{
		{Rule: "web", State: "held", Since: time.Now().Add(-time.Hour), Why: "0 members,\nfewer \x1b[2J than 1"},
		{Rule: "api", State: "failed"},
	}
	n[3].More = 11
	n[4].Draining = true
	n[5].Kind, n[5].Counts = fleet.Silent, nil
	n[6].Kind, n[6].Counts = fleet.Serf, nil
	n[7].Problem, n[7].Counts = "cannot read its answer: odd", nil
	n[8].Status, n[8].Kind, n[8].Counts = cluster.Failed, "", nil
	n[9].Mistakes = true
	n[10].Name = "<b>\x1b[31m"
	n[10].Kind = fleet.Silent
	return r
}

// Of a thousand nodes the summary and those that are not in sync are shown.
func TestPrintFleet(t *testing.T) {
	var out bytes.Buffer
	(&app{out: &out}).printFleet(fleetOf(1000), false)
	lines := strings.Split(out.String(), "\n")
	want := "1000 nodes: 993 in sync, 2 lagging, 2 did not answer, 1 cannot be understood, 1 of Serf's own, 1 failed; 1 draining (n0004)"
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if len(lines) > 15 {
		t.Errorf("%d lines", len(lines))
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, part := range []string{
		`n0003 lagging 1/14 web held 60m ago "0 members, fewer \x1b[2J than 1"`, "api failed - -", "11 more - - -",
		"n0005 silent - - - - it did not answer", "n0006 serf - - - - an agent of Serf's own: it has no rules",
		"n0007 unreadable - - - - cannot read its answer: odd", "n0008 failed - - - - -", "n0009 lagging 3/3 - - - its rules have mistakes",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "n0004  ") {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	(&app{out: &out}).printFleet(fleetOf(1000), true)
	if lines := strings.Count(out.String(), "\n"); lines < 1000 || !strings.Contains(out.String(), "in sync, draining") {
		t.Errorf("all of them take %d lines", lines)
	}
}

// Who lags is named, with what it says, and nothing that it says does harm.
func TestPrintLaggards(t *testing.T) {
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs}
	result := drainResult{Node: "web1", Draining: true, Unasked: []string{"old\x1b"}}
	for i := range 30 {
		result.Laggards = append(result.Laggards, fleet.Laggard{Node: fmt.Sprintf("lb%d", i/2), Rule: "web", State: "held", Why: "no\x1b\nway"})
	}
	err := a.printDrain(result, true, time.Minute)
	if err == nil || out.String() != "web1 drains\n" || strings.Contains(err.Error()+errs.String(), "\x1b") {
		t.Fatalf("out %q, err %q, %v", out.String(), errs.String(), err)
	}
	for _, part := range []string{"15 nodes lag after 1m0s: lb0, lb1", "lb0: rule web is held: no", "and 10 more"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}
