package agent

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A key that a member made up, and that a file cannot hold, costs that file and
// no other; whether it comes as .Each.Key or by way of vars.
func TestHostileKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newVillage(a, node("evil", 12, "we;b")), `
rule "each" {
  template {
    for_each    = group_by(members, "role")
    contents    = "upstream {{ .Each.Key }} {}"
    format      = "nginx"
    destination = "${DIR}/${each.key}.conf"
  }
}
rule "vars" {
  template {
    for_each    = group_by(members, "role")
    vars        = { upstream = "to-${each.key}" }
    contents    = "upstream {{ .Vars.upstream }} {}"
    format      = "nginx"
    destination = "${DIR}/vars-${each.key}.conf"
  }
}
rule "author" {
  template {
    for_each    = ["a;b", "c"]
    contents    = "upstream {{ .Each.Key }} {}"
    format      = "nginx"
    destination = "${DIR}/author-${each.key}.conf"
  }
}`)
		h.want("web.conf", "upstream web {}")
		h.want("vars-web.conf", "upstream to-web {}")
		h.want("author-c.conf", "<none>")
		h.want("we;b.conf", "<none>")
		for _, rule := range []string{"each", "vars"} {
			refused := h.state(rule).Pass.Refused
			if len(refused) != 1 || refused[0].Value != `"we;b"` || !strings.Contains(refused[0].Reason, "the character ;") {
				t.Errorf("%s: %+v", rule, refused)
			}
		}
		if s := h.state("author"); !strings.Contains(s.Why, `cannot print .Each.Key: "a;b"`) {
			t.Errorf("the author's own mistake: %s", s.Why)
		}
	})
}
