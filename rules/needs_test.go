package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a rule needs is known before there is a cluster, as far as that can be.
func TestNeeds(t *testing.T) {
	set := mustLoad(t, `
locals { tool = "/usr/bin/tool" }
rule "files" {
  template {
    contents    = "x"
    destination = "/etc/one/hosts"
  }
  template {
    contents    = "x"
    for_each    = members
    destination = "/etc/two/x-${each.key}.conf"
  }
  template {
    contents    = "x"
    destination = "/etc/three/${self.name}/hosts"
  }
  check {
    command = [local.tool, staged["/etc/one/hosts"]]
    user    = "nobody"
  }
  reload = ["reloader", "-x"]
  verify { command = ["verifier"] }
}
rule "acts" {
  on = ["user:deploy"]
  run { command = ["deployer", event.name] }
}
`)
	var needs, dirs []string
	for _, r := range set.Rules {
		for _, n := range r.Needs() {
			needs = append(needs, r.Name+" "+n.For+" "+n.Program+" "+n.User)
		}
		for _, tpl := range r.Templates {
			if dir, ok := tpl.DestinationDir(); ok {
				dirs = append(dirs, dir)
			} else {
				dirs = append(dirs, "?")
			}
		}
	}
	if diff := cmp.Diff([]string{"files check /usr/bin/tool nobody", "files reload reloader ", "files verify verifier ", "acts run deployer "}, needs); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/etc/one", "/etc/two", "?"}, dirs); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
}
