package agent

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// Where nobody has asked for rules there need be no directory of them, as
// beside Serf's own files. One that vanishes with the rules in it is a mistake.
func TestRulesDirectoryNeedNotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, village: newVillage(), dir: t.TempDir()}
		optional := quiet(h)
		optional.RulesOptional = true
		h.startWith(optional)
		mistakes := func() int {
			h.rest()
			s, err := h.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(s.Problems)
		}
		if n := mistakes(); n != 0 {
			t.Errorf("%d mistakes without a directory", n)
		}

		h.mkdir("rules")
		h.write("rules/a.hcl", `
rule "a" {
  template {
    contents    = "text"
    destination = "${DIR}/out"
  }
}`)
		time.Sleep(2 * time.Minute) // the next resync
		h.want("out", "text")

		if err := os.RemoveAll(h.path("rules")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := mistakes(); n != 1 || h.state("a").State != "in-sync" {
			t.Errorf("%d mistakes without the directory that was there, rule %+v", n, h.state("a"))
		}
		h.stop()
		h.startWith(optional) // after a restart, too: the journal knows of a
		if n := mistakes(); n != 1 {
			t.Errorf("%d mistakes without the directory that was there, after a restart", n)
		}
		h.stop()

		h.dir = t.TempDir()
		h.startWith(quiet(h))
		if n := mistakes(); n != 1 {
			t.Errorf("%d mistakes without a directory that was asked for", n)
		}
	})
}
