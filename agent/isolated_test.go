package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"muster/reconcile"
)

// A file that is there because of members goes with them, so the guard is
// asked even though nothing would be rendered.
func TestAloneRemovesNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, `
rule "web" {
  members { tags = { role = "web" } }
  on_orphan = "remove"
  template {
    for_each = group_by(members, "role")
    contents    = "{{ range .Members }}{{ .Name }} {{ end }}"
    destination = "${DIR}/${each.key}.out"
  }
}`)
		h.want("web.out", "a ")
		v.set(failedNode(a))
		time.Sleep(time.Hour)
		h.want("web.out", "a ")
		if s := h.state("web"); s.State != reconcile.Held {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
	})
}

// Members that reach the template by way of vars count as rendered.
func TestAloneEmptiesNoFileMadeFromVars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, `
rule "web" {
  members { tags = { role = "web" } }
  template {
    vars = { names = [for m in members : m.name] }
    contents    = "{{ range .Vars.names }}{{ . }} {{ end }}"
    destination = "${DIR}/out"
  }
}`)
		h.want("out", "a ")
		v.set(failedNode(a))
		time.Sleep(time.Hour)
		h.want("out", "a ")
		if s := h.state("web"); s.State != reconcile.Held {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
	})
}

// What a node says of itself alone needs no members.
func TestFileAboutSelfIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, `
rule "web" {
  template {
    vars = { me = self.name }
    contents    = "{{ .Vars.me }}"
    destination = "${DIR}/out"
  }
}`)
		h.want("out", "self")
	})
}
