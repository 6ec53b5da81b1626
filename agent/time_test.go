package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/cluster"
	"muster/reconcile"
)

var (
	a = node("a", 11, "web")
	b = node("b", 12, "web")
	c = node("c", 13, "web")
	d = node("d", 14, "web")
)

func TestWaitLetsTheMembershipSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(`wait = "1s:3s"`))
		h.want("out", "a ") // the start waits for nothing
		v.set(a, b)
		time.Sleep(900 * time.Millisecond)
		h.want("out", "a ")
		v.set(a, b, c) // begins the quiet anew
		time.Sleep(900 * time.Millisecond)
		h.want("out", "a ")
		time.Sleep(200 * time.Millisecond)
		h.want("out", "a b c ")
	})
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(`wait = "1s:3s"`))
		h.want("out", "a ")
		for i := range 40 { // never a second of quiet
			if i%2 == 0 {
				v.set(a, b)
			} else {
				v.set(a, b, c)
			}
			time.Sleep(100 * time.Millisecond)
			h.rest()
			if h.read("out") != "a " {
				if i < 28 {
					t.Fatalf("written after %d changes, before the longest wait was over", i+1)
				}
				return
			}
		}
		t.Fatal("four seconds of changes and still not written")
	})
}

func TestNoWaitIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(`wait = "0s"`))
		h.want("out", "a ")
		began := time.Now()
		v.set(a, b)
		h.want("out", "a b ")
		if took := time.Since(began); took != 0 {
			t.Errorf("something slept for %v", took)
		}
	})
}

func TestNothingBeforeTheFirstJoinHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		v.change(func(view *cluster.View) { view.Settled = false })
		h := newHost(t, v, rule(``))
		time.Sleep(time.Hour)
		h.want("out", "<none>")
		if s := h.state("web"); s.State != reconcile.Pending || !strings.Contains(s.Why, "first join") {
			t.Errorf("status is %s: %s", s.State, s.Why)
		}
		v.change(func(view *cluster.View) { view.Settled = true })
		h.want("out", "a ")
	})
}

func TestLossIsHeldAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b, c, d)
		h := newHost(t, v, rule(`guard {
  max_loss = "50%"
  hold     = "60s"
}`))
		h.want("out", "a b c d ")
		v.set(a)
		time.Sleep(50 * time.Second)
		h.want("out", "a b c d ")
		if s := h.state("web"); s.State != reconcile.Held || !strings.Contains(s.Why, "max_loss") {
			t.Errorf("status is %s: %s", s.State, s.Why)
		}
		time.Sleep(15 * time.Second)
		h.want("out", "a ")
	})
}

func TestForceOverridesTheGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b)
		h := newHost(t, v, rule(``))
		h.want("out", "a b ")
		v.set(node("other", 20, "db"))
		time.Sleep(time.Hour)
		h.want("out", "a b ") // min_members is 1
		if _, err := h.Apply(t.Context(), []string{"web"}, true); err != nil {
			t.Fatal(err)
		}
		h.want("out", "")
	})
}

func TestAloneNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b)
		h := newHost(t, v, rule(`guard { min_members = 0 }`))
		h.want("out", "a b ")
		v.set(failedNode(a), failedNode(b))
		time.Sleep(24 * time.Hour)
		h.want("out", "a b ")
		if s := h.state("web"); s.State != reconcile.Held || !strings.Contains(s.Why, "alone") {
			t.Errorf("status is %s: %s", s.State, s.Why)
		}
		v.set(a, failedNode(b)) // not alone any more: the loss is real
		time.Sleep(3 * time.Second)
		h.want("out", "a ")
	})
}

func TestDoubtHoldsFailuresOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b, c)
		h := newHost(t, v, rule(``))
		h.want("out", "a b c ")
		v.set(a, b, failedNode(c))
		v.change(func(view *cluster.View) { view.Doubt = 2 })
		time.Sleep(30 * time.Second)
		h.want("out", "a b c ")
		v.change(func(view *cluster.View) { view.Doubt = 0 })
		time.Sleep(3 * time.Second)
		h.want("out", "a b ")
	})
}

func TestGraceKeepsTheFailedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b)
		h := newHost(t, v, rule(`guard { grace = "30s" }`))
		h.want("out", "a b ")
		v.set(a, failedNode(b))
		time.Sleep(20 * time.Second)
		h.want("out", "a b ")
		time.Sleep(15 * time.Second)
		h.want("out", "a ")
		v.set(a, b)
		time.Sleep(3 * time.Second)
		h.want("out", "a b ")
	})
}

func TestAFailedReloadBacksOffAndIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(`reload = ["${DIR}/reload"]`))
		h.rest()
		if s := h.state("web"); s.State != reconcile.Failed && s.State != reconcile.Owed {
			t.Fatalf("status is %s: there is no program to reload with", s.State)
		}
		h.write("reload", "#!/bin/sh\necho x >> ${DIR}/reloads\nexit 1\n")
		h.write("reloads", "")
		time.Sleep(time.Hour)
		h.rest()
		// Doubling from a second to five minutes: some twenty tries an hour,
		// each perhaps with a second reload after putting the old file back.
		if n := strings.Count(h.read("reloads"), "x"); n < 10 || n > 60 {
			t.Errorf("%d reloads within an hour of failures", n)
		}
		h.write("reload", "#!/bin/sh\ncp ${DIR}/out ${DIR}/loaded\n")
		time.Sleep(6 * time.Minute)
		h.want("loaded", "a ")
		if s := h.state("web"); s.State != reconcile.InSync {
			t.Errorf("status is %s: %s", s.State, s.Why)
		}
	})
}

func TestResyncPutsBackWhatSomebodyChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newVillage(a), rule(``))
		h.want("out", "a ")
		h.write("out", "somebody's")
		time.Sleep(61 * time.Second)
		h.want("out", "a ")
		if s := h.state("web"); s.Files[0].Drifts != 1 {
			t.Errorf("%d drifts are counted", s.Files[0].Drifts)
		}
	})
}

func TestEveryDelaysTheNextReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(`
  wait   = "0s"
  every  = "10s"
  reload = ["true"]`))
		h.want("out", "a ")
		v.set(a, b)
		time.Sleep(5 * time.Second)
		h.want("out", "a ")
		time.Sleep(6 * time.Second)
		h.want("out", "a b ")
	})
}
