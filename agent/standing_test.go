package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/reconcile"
)

// draining is m once it drains.
func draining(m cluster.Member) cluster.Member {
	m.Tags = map[string]string{"role": m.Tags["role"], cluster.DrainTag: "1"}
	return m
}

// member is how the host stands to one member.
func (h *host) member(name string) MemberStanding {
	h.t.Helper()
	h.rest()
	s, err := h.Standing(h.t.Context(), []string{name})
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Members[0]
}

// A drain is behind an agent when its rules have loaded files without the
// member, and no earlier; the way back likewise.
func TestStandingFollowsADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a, b)
		h := newHost(t, v, rule("")+`
rule "all" {
  members { draining = "include" }
  template {
    contents    = "{{ range .Members }}{{ .Name }} {{ end }}"
    destination = "${DIR}/all"
  }
}
rule "fixed" {
  template {
    contents    = "x"
    destination = "${DIR}/fixed"
  }
}`)
		h.want("out", "a b ")
		time.Sleep(time.Minute)
		want := MemberStanding{Name: "a", Status: cluster.Alive, In: []string{"web", "all"}}
		if diff := cmp.Diff(want, h.member("a")); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(MemberStanding{Name: "nobody"}, h.member("nobody")); diff != "" {
			t.Errorf("nobody (-want +got):\n%s", diff)
		}

		v.set(draining(a), b)
		got := h.member("a")
		if !got.Draining || len(got.Lags) != 1 || got.Lags[0].Rule != "web" || got.Lags[0].State != reconcile.Pending {
			t.Errorf("as soon as it is heard of: %+v", got)
		}
		time.Sleep(time.Minute)
		h.want("out", "b ")
		want.Draining, want.In = true, []string{"all"}
		if diff := cmp.Diff(want, h.member("a")); diff != "" {
			t.Errorf("drained (-want +got):\n%s", diff)
		}

		v.set(a, b)
		if got := h.member("a"); len(got.Lags) != 1 || got.Draining {
			t.Errorf("on the way back: %+v", got)
		}
		time.Sleep(time.Minute)
		h.want("out", "a b ")
		want.Draining, want.In = false, []string{"web", "all"}
		if diff := cmp.Diff(want, h.member("a")); diff != "" {
			t.Errorf("back (-want +got):\n%s", diff)
		}
	})
}

// Who holds, fails or owes says so, and why.
func TestStandingOfLaggards(t *testing.T) {
	for name, test := range map[string]struct {
		more  string
		state reconcile.State
		why   string
	}{
		"held":   {`guard { min_members = 2 }`, reconcile.Held, "1 member, fewer than min_members = 2; draining: a"},
		"failed": {`check = ["sh", "-c", "! test -e ${DIR}/broken"]`, reconcile.Failed, "check"},
		"owed":   {`reload = ["sh", "-c", "! test -e ${DIR}/broken"]`, "", "reload"},
		"every":  {`every = "1h"`, reconcile.Pending, "every = 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVillage(a, b)
				h := newHost(t, v, rule(test.more))
				h.want("out", "a b ")
				time.Sleep(time.Minute)
				h.rest()
				h.write("broken", "")
				v.set(draining(a), b)
				time.Sleep(time.Second)
				got := h.member("a")
				if len(got.Lags) != 1 || test.state != "" && got.Lags[0].State != test.state || !strings.Contains(got.Lags[0].Why, test.why) {
					t.Errorf("%+v", got)
				}
				if diff := cmp.Diff([]string{"web"}, got.In); diff != "" {
					t.Errorf("in (-want +got):\n%s", diff)
				}
			})
		})
	}
}
