package agent

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"muster/cluster"
	"muster/reconcile"
)

// What a sensitive file would hold is in no error, refusal, log or plan, even
// when the template is what cannot print it.
func TestSensitiveTextIsInNoMessage(t *testing.T) {
	for name, text := range map[string]string{
		"error":   `{{ .Vars.pw }}`,
		"refusal": `{{ range .Members }}{{ printf "%s of %s" $.Vars.pw .Name }}{{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{t: t, village: newVillage(a), dir: t.TempDir()}
				h.mkdir("rules")
				h.write("rules/rule.hcl", `
rule "secret" {
  template {
    sensitive   = true
    vars        = { pw = "hunter2\nx" }
    destination = "${DIR}/out"
    contents    = <<-EOT
      `+text+`
    EOT
  }
}`)
				var log bytes.Buffer
				cfg := quiet(h)
				cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
				h.startWith(cfg)
				status := h.state("secret")
				plan, err := h.Plan(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				said, err := json.Marshal([]any{status, plan})
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, log.Bytes()...)
				if bytes.Contains(said, []byte("hunter2")) {
					t.Errorf("it is told: %s", said)
				}
				if !bytes.Contains(said, []byte(withheld)) || !bytes.Contains(said, []byte("rule.hcl:8")) {
					t.Errorf("neither that something is withheld nor where is told: %s", said)
				}
			})
		})
	}
}

// A template in a rule file has its mistakes there.
func TestMistakeHasItsPlaceInTheRuleFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newVillage(a), `
rule "web" {
  template {
    destination = "${DIR}/out"
    contents    = <<-EOT
      one
      {{ (index .AllMembers 7).Name }}
    EOT
  }
}`)
		if s := h.state("web"); s.State != reconcile.Failed || !strings.Contains(s.Why, "rule.hcl:7:") {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
	})
}

// A restarted agent that has not joined yet knows the files from the journal,
// and does not call them orphaned.
func TestFilesAreNotOrphanedBeforeTheFirstJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage(a)
		h := newHost(t, v, rule(``))
		h.want("out", "a ")
		h.stop()
		v.change(func(view *cluster.View) { view.Settled = false })
		h.start()
		s := h.state("web")
		if s.State != reconcile.Pending || len(s.Files) != 1 || s.Files[0].State != reconcile.Pending || s.Files[0].Why != "" {
			t.Errorf("it is %s, its files %+v", s.State, s.Files)
		}
	})
}
