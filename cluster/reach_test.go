package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

const (
	lostLine = "Failed UDP ping: %s (timeout reached)"
	tcpLine  = "Was able to connect to %s over TCP but UDP probes failed, network may be misconfigured"
)

func TestReach(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	r := newReach(log, newDoor(log))
	web := Member{Name: "web", Addr: netip.MustParseAddr("10.0.0.1"), Port: 7946, Status: Alive}
	lose := func(name string, n int) {
		for range n {
			r.hear(fmt.Sprintf(lostLine, name))
		}
	}
	// Two lost probes are an accident, and so are four that are not in a row.
	lose("web", 2)
	r.answered("web")
	lose("web", 2)
	if due := r.due(); len(due) != 0 || len(r.news) != 0 {
		t.Errorf("due after two: %v", due)
	}
	lose("web", 1)
	if due := r.due(); len(due) != 1 || len(r.news) != 1 {
		t.Fatalf("due after three: %v", due)
	}
	if len(r.all()) != 0 {
		t.Error("told before it was looked into")
	}
	// The stream just now failed, but one of memberlist's did not.
	r.hear(fmt.Sprintf(tcpLine, "web"))
	r.report(web, errors.New("refused"))
	r.report(web, nil)
	lose("web", 2)
	all := r.all()
	if len(all) != 1 || all[0].Count != 5 || all[0].Addr != "10.0.0.1:7946" || !strings.Contains(all[0].Why, "let UDP port 7946 through") {
		t.Errorf("unreachable: %+v", all)
	}
	if n := strings.Count(out.String(), "does not answer"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &out)
	}
	r.keep(View{Members: []Member{web}})
	if len(r.all()) != 1 {
		t.Error("an alive one is forgotten")
	}
	web.Status = Failed
	r.keep(View{Members: []Member{web}})
	if len(r.all()) != 0 {
		t.Error("a failed one is kept")
	}
}

// What the network can say is bounded.
func TestReachIsBounded(t *testing.T) {
	r := newReach(slog.New(slog.DiscardHandler), newDoor(slog.New(slog.DiscardHandler)))
	for i := range 3 * maxUnreachable {
		r.hear(fmt.Sprintf(lostLine, fmt.Sprint("m", i)))
	}
	r.hear(fmt.Sprintf(lostLine, "x; reboot"))
	r.hear(fmt.Sprintf(tcpLine, "unknown"))
	if len(r.members) != maxUnreachable {
		t.Errorf("%d members are followed", len(r.members))
	}
}
