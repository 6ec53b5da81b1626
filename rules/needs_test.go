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

// Which program a rule's files are for is told by its commands, however they
// are written.
func TestMentions(t *testing.T) {
	for commands, want := range map[string][]string{
		"":                                      nil,
		`check = "munin"`:                       {"munin"},
		`reload = ["a", local.b]`:               {"a", "nginx"},
		`check = [local.b, "-c", staged["/x"]]`: {"nginx", "-c"},
		"check {\n use = \"varnish\"\n with = { config = \"/v.vcl\" }\n }": {"varnish", "varnishd", "-C", "-f", "/v.vcl"},
		"reload = [\"a\"]\n verify { command = [\"b\"] }":                  {"a", "b"},
	} {
		r := mustLoad(t, "locals { b = \"nginx\" }\nrule \"r\" {\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n"+commands+"\n}\n").Rules[0]
		got := r.Mentions()
		if len(want) == 1 && len(got) > 1 {
			got = got[:1] // the name goes before the command that it stands for
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", commands, diff)
		}
	}
}
