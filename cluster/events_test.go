package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/cluster/clustertest"
)

func TestEvents(t *testing.T) {
	u := universe(t)
	web := clustertest.Members("web", 1, map[string]string{"role": "web"})[0]
	n := start(t, cluster.Config{Name: "n", Bind: loopback()})
	events := n.Subscribe(16)
	defer events.Close()
	n.waitFor("n:alive")
	if err := u.Set(web); err != nil {
		t.Fatal(err)
	}
	n.kill()

	// A subscription outlives the node's incarnations and its Run.
	n, events = startHearing(t, cluster.Config{Name: "n", Bind: loopback(), Join: []string{u.Seed()}}, 16)
	defer events.Close()
	n.waitFor("n:alive web-00001:alive")
	next := func(kind string) cluster.Event {
		t.Helper()
		for {
			select {
			case e := <-events.C:
				if len(e.Members) == 1 && e.Members[0].Name == "n" {
					continue
				}
				if e.Type != kind {
					t.Fatalf("event %+v, want %s", e, kind)
				}
				return e
			case <-time.After(time.Minute):
				t.Fatalf("no %s", kind)
			}
		}
	}
	set := func(status cluster.Status, tags map[string]string) {
		t.Helper()
		web.Status, web.Tags = status, tags
		if err := u.Set(web); err != nil {
			t.Fatal(err)
		}
	}
	if e := next(cluster.EventJoin); e.Members[0].Tags["role"] != "web" {
		t.Errorf("join: %+v", e)
	}
	set(cluster.Alive, map[string]string{"role": "db"})
	if e := next(cluster.EventUpdate); e.Members[0].Tags["role"] != "db" {
		t.Errorf("update: %+v", e)
	}
	set(cluster.Failed, web.Tags)
	if e := next(cluster.EventFailed); e.Members[0].Status != cluster.Failed {
		t.Errorf("failed: %+v", e)
	}
	set(cluster.Alive, web.Tags)
	next(cluster.EventJoin)
	if err := u.Event("deploy", []byte("v1")); err != nil {
		t.Fatal(err)
	}
	if e := next(cluster.EventUser); e.Name != "deploy" || string(e.Payload) != "v1" || e.LTime == 0 {
		t.Errorf("user event: %+v", e)
	}
	set(cluster.Left, web.Tags)
	if e := next(cluster.EventLeave); e.Members[0].Status != cluster.Left {
		t.Errorf("leave: %+v", e)
	}
}

// Leaving has no event: only the regular look finds it.
func TestLeavingIsSeen(t *testing.T) {
	u := universe(t)
	web := clustertest.Members("web", 1, nil)[0]
	if err := u.Set(web); err != nil {
		t.Fatal(err)
	}
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Join: []string{u.Seed()}})
	n.waitFor("n:alive web-00001:alive")
	web.Status = cluster.Leaving
	if err := u.Set(web); err != nil {
		t.Fatal(err)
	}
	n.waitFor("n:alive web-00001:leaving")
	web.Status = cluster.Alive
	if err := u.Set(web); err != nil {
		t.Fatal(err)
	}
	n.waitFor("n:alive web-00001:alive")
}

// A reader that does not read loses events and learns how many; nobody else
// does, and the node goes on.
func TestSlowSubscriber(t *testing.T) {
	n := target(t, cluster.Config{})
	slow, quick, gone := n.Subscribe(2), n.Subscribe(1000), n.Subscribe(1000)
	defer slow.Close()
	defer quick.Close()
	gone.Close()
	const sent = 100
	for i := range sent {
		if err := clustertest.Send(n.Info().Bind, clustertest.UserEvent(fmt.Sprintf("e%d", i), nil, uint64(i+2))); err != nil {
			t.Fatal(err)
		}
	}
	heard := map[string]bool{}
	for range sent {
		select {
		case e := <-quick.C:
			heard[e.Name] = true
		case <-time.After(time.Minute):
			t.Fatalf("heard %d of %d", len(heard), sent)
		}
	}
	if len(heard) != sent || quick.Lost() != 0 {
		t.Errorf("the quick one heard %d, lost %d", len(heard), quick.Lost())
	}
	if got := slow.Lost(); got != sent-2 {
		t.Errorf("the slow one lost %d, want %d", got, sent-2)
	}
	if len(gone.C) != 0 {
		t.Error("a closed subscription goes on")
	}
}

// A thousand members come, change and go: the view shows them all, whatever
// became of their events.
func TestCrowd(t *testing.T) {
	u := universe(t)
	ms := clustertest.Members("web", 1000, map[string]string{"v": "1"})
	if err := u.Set(ms...); err != nil {
		t.Fatal(err)
	}
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), Join: []string{u.Seed()}, Quiet: 50 * time.Millisecond})
	v := n.wait("all", func(v cluster.View) bool { return v.Settled && len(v.Members) == 1001 })
	want := ms[499]
	if got, _ := v.Member(want.Name); got.Addr != want.Addr || !cmp.Equal(got.Tags, want.Tags) {
		t.Errorf("member %+v, want %+v", got, want)
	}
	for i := range ms {
		ms[i].Tags = map[string]string{"v": "2"}
	}
	if err := u.Set(ms...); err != nil {
		t.Fatal(err)
	}
	n.wait("new tags", func(v cluster.View) bool {
		for _, m := range v.Members {
			if m.Name != "n" && m.Tags["v"] != "2" {
				return false
			}
		}
		return true
	})
	for i := range ms[:500] {
		ms[i].Status = cluster.Failed
	}
	if err := u.Set(ms[:500]...); err != nil {
		t.Fatal(err)
	}
	n.wait("half of them failed", func(v cluster.View) bool {
		failed := 0
		for _, m := range v.Members {
			if m.Status == cluster.Failed {
				failed++
			}
		}
		return failed == 500 && len(v.Members) == 1001
	})
}
