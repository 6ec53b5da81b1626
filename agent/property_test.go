package agent

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"muster/cluster"
	"muster/reconcile"
)

// TestWhateverHappensItConverges lets members come, go and fail, checks and
// reloads fail, somebody edit the file and the agent stop and start, in any
// order. Once failures stop and time passes, what is on disk is what the view
// renders to, and what the service loaded.
func TestWhateverHappensItConverges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		// Drawn first: rapid does not work from within a bubble.
		happenings := rapid.SliceOfN(happening(), 1, 15).Draw(r, "happenings")
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = tell(t, happenings) })
		if failure != "" {
			r.Fatal(failure)
		}
	})
}

// A deed is something that happens, to member N of four or for N milliseconds.
type deed struct {
	What   string
	N      int
	Status cluster.Status
}

func happening() *rapid.Generator[deed] {
	return rapid.Custom(func(r *rapid.T) deed {
		return deed{
			What:   rapid.SampledFrom([]string{"status", "status", "doubt", "unsettled", "check", "reload", "edit", "delete", "restart", "time"}).Draw(r, "what"),
			N:      rapid.IntRange(0, 100_000).Draw(r, "n"),
			Status: rapid.SampledFrom(cluster.Statuses).Draw(r, "status"),
		}
	})
}

// A story is one run of the property.
type story struct {
	*host
	stop func()
	web  []cluster.Member // as they are now
}

// tell lets the deeds happen, and says what is wrong in the end.
func tell(t *testing.T, deeds []deed) (failure string) {
	s := &story{host: &host{t: t, village: newVillage(), dir: t.TempDir()}}
	s.mkdir("rules")
	s.write("check", "#!/bin/sh\n! test -e ${DIR}/check-fails\n")
	s.write("reload", "#!/bin/sh\ntest -e ${DIR}/reload-fails && exit 1\ncp ${DIR}/out ${DIR}/loaded\n")
	s.write("rules/rule.hcl", rule(`
  check  = ["${DIR}/check"]
  reload = ["${DIR}/reload"]
  guard { min_members = 0 }`))
	s.web = []cluster.Member{a, b, c, d}
	s.set(s.web...)
	s.run()
	defer func() { s.stop() }()
	for _, d := range deeds {
		s.happen(d)
	}
	os.Remove(s.path("check-fails"))
	os.Remove(s.path("reload-fails"))
	s.web[0].Status = cluster.Alive // not alone
	s.set(s.web...)
	s.change(func(v *cluster.View) { v.Doubt = 0 })
	time.Sleep(10 * time.Minute)
	s.rest()
	want := ""
	for _, m := range s.web {
		if m.Status == cluster.Alive {
			want += m.Name + " "
		}
	}
	status := s.state("web")
	if out, loaded := s.read("out"), s.read("loaded"); out != want || loaded != want || status.State != reconcile.InSync {
		return fmt.Sprintf("on disk is %q and loaded %q, want %q; the rule is %s: %s", out, loaded, want, status.State, status.Why)
	}
	return ""
}

func (s *story) happen(d deed) {
	switch d.What {
	case "status":
		s.web[d.N%len(s.web)].Status = d.Status
		s.set(s.web...)
	case "doubt":
		s.change(func(v *cluster.View) { v.Doubt = d.N % 3 })
	case "unsettled":
		s.change(func(v *cluster.View) { v.Settled = false })
	case "check":
		s.toggle("check-fails")
	case "reload":
		s.toggle("reload-fails")
	case "edit":
		s.write("out", "somebody's "+fmt.Sprint(d.N))
	case "delete":
		os.Remove(s.path("out"))
	case "restart":
		s.stop()
		s.run()
	case "time":
		time.Sleep(time.Duration(d.N) * time.Millisecond)
		s.rest()
	}
}

// toggle makes a file appear or disappear.
func (s *story) toggle(name string) {
	if os.Remove(s.path(name)) != nil {
		s.write(name, "")
	}
}

// run starts an agent, and gives stop to end it.
func (s *story) run() {
	var err error
	if s.Agent, err = New(quiet(s.host)); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	agent := s.Agent
	go func() { done <- agent.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Fatal(err)
		}
	}
}
