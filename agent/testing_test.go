package agent

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testRules are what the tests of TestRunTest are about.
const testRules = `
rule "web" {
  self { tags = { role = "lb" } }
  members { tags = { role = "web" } }
  template {
    for_each    = group_by(members, "zone")
    contents    = "{{range .Members}}{{.Name}}\n{{end}}"
    destination = "/etc/${each.key}.conf"
  }
  guard { min_members = 5 }
}
rule "chain" {
  on = ["user:go"]
  run { command = ["first", event.payload] }
  send { event = trimspace(run.stdout) }
  run { command = ["second", "<${run.stdout}>", "${run.exit_code}"] }
}
rule "fails" {
  on = ["user:go"]
  run { command = ["first"] }
  run { command = ["second", jsondecode(run.stdout).key] }
}
rule "one" {
  on     = ["member-failed"]
  members { tags = { role = "web" } }
  for    = "10m"
  nodes  = "one"
  quorum = 2
  run { command = ["fence", member.name] }
}
rule "signed" {
  on        = ["user:go"]
  signature = "required"
  when      = event.signer == "alice"
  run { command = ["signed"] }
}
rule "answers" {
  on = ["query:load"]
  respond { command = ["uptime"] }
}
rule "says" {
  on = ["query:load"]
  respond { text = "1" }
}
rule "odd" {
  on   = ["user:go"]
  when = tonumber(event.payload) > 1
  run { command = ["odd"] }
}
`

// RunTest's answer to one test: nothing, or why it fails.
func TestRunTest(t *testing.T) {
	const (
		members  = `{ name = "lb", addr = "10.0.0.9", tags = { role = "lb" } }, { name = "a", addr = "10.0.0.1", tags = { role = "web", zone = "x" } }`
		userGo   = "event {\n name = \"go\"\n payload = \"p\"\n}\n"
		query    = "event {\n type = \"query\"\n name = \"load\"\n}\n"
		failed   = "event {\n type = \"member-failed\"\n member = \"b\"\n}\n"
		withB    = members + `, { name = "b", addr = "10.0.0.2", status = "failed", tags = { role = "web" } }`
		otherB   = members + `, { name = "b", addr = "10.0.0.2", status = "failed", tags = { role = "db" } }`
		fewWithB = `{ name = "lb", addr = "10.0.0.9" }, { name = "b", addr = "10.0.0.2", status = "failed", tags = { role = "web" } }`
		file     = "file \"/etc/x.conf\" {\n equals = \"a\\n\"\n}\n"
	)
	for _, tc := range []struct{ name, members, self, event, rule, expect, want string }{
		{"a file, whatever the guard says", members, "lb", "", "web", file, ""},
		{"not made", members, "lb", "", "web", strings.Replace(file, "x.conf", "y.conf", 1), "rule web makes no file /etc/y.conf: it makes /etc/x.conf"},
		{"none made", members, "lb", "", "web", strings.Replace(file, "/etc", "/", 1), "rule web makes no file //x.conf: it makes /etc/x.conf"},
		{"not in force", members, "a", "", "web", file, `rule web makes no file /etc/x.conf: it is not in force on a: not tags.role matches "lb", but "web"`},
		{"nothing, not in force", members, "a", userGo, "web", "", ""},
		{"nothing, no event", members, "a", "", "chain", "", ""},
		{"more than nothing", members, "lb", "", "web", "", "rule web is expected to do nothing, and makes /etc/x.conf"},
		{"a rule that renders runs nothing", members, "lb", userGo, "web", "runs = [[\"x\"]]\n", "rule web runs nothing: it renders files, and acts on no event"},
		{"a chain", members, "a", userGo, "chain", `runs = [["first", "p"], ["second", "<>", "0"]]`, ""},
		{"a chain in part", members, "a", userGo, "chain", `runs = [["first", "p"]]`, "rule chain runs other commands than expected (-want +got)\n" +
			"--- want\n+++ got\n@@ -1 +1,2 @@\n [\"first\", \"p\"]\n+[\"second\", \"<>\", \"0\"]\n"},
		{"a command that cannot be", members, "a", userGo, "fails", `runs = []`, "rule fails: cannot evaluate the command at "},
		{"one of many, after a while", withB, "lb", failed, "one", `runs = [["fence", "b"]]`, ""},
		{"not about that member", otherB, "lb", failed, "one", `runs = [["fence", "b"]]`, "rule one runs nothing: its `members` do not include b"},
		{"no quorum", fewWithB, "lb", failed, "one", `runs = [["fence", "b"]]`, "rule one runs nothing: its quorum is 2, and only 1 are alive"},
		{"not that event", members, "lb", userGo, "one", `runs = [["fence", "b"]]`, "rule one runs nothing: its `on` does not name this event"},
		{"unsigned", members, "lb", userGo, "signed", `runs = [["signed"]]`, "rule signed runs nothing: it acts on signed events only: give the event a `signer`"},
		{"signed by another", members, "lb", strings.Replace(userGo, "{", "{\n signer = \"bob\"", 1), "signed", `runs = [["signed"]]`, "rule signed runs nothing: its `when` is false"},
		{"signed", members, "lb", strings.Replace(userGo, "{", "{\n signer = \"alice\"", 1), "signed", `runs = [["signed"]]`, ""},
		{"an answer", members, "lb", query, "answers", `runs = [["uptime"]]`, ""},
		{"a text", members, "lb", query, "says", `runs = [["uptime"]]`, "rule says runs nothing: it runs no command"},
		{"when cannot be evaluated", members, "lb", userGo, "odd", `runs = [["odd"]]`, `rule odd runs nothing: cannot evaluate when of rule "odd": `},
		{"and so it does not act", members, "lb", userGo, "odd", `runs = []`, ""},
		{"a rule that acts has no file", members, "lb", userGo, "odd", file, "rule odd makes no file /etc/x.conf: it acts on events, and keeps no files"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &host{t: t, dir: t.TempDir()}
			h.mkdir("rules")
			h.write("rules/rules.hcl", testRules)
			h.write("rules/x.test.hcl", "test \"t\" {\n members = ["+tc.members+"]\n self = \""+tc.self+"\"\n"+tc.event+"expect \""+tc.rule+"\" {\n"+tc.expect+"\n}\n}\n")
			program, _, problems := Compile(h.path("rules"))
			if program == nil {
				t.Fatal(problems)
			}
			got := ""
			for _, f := range program.RunTest(program.Set.Tests[0]).Failures {
				got += f.Reason
				if f.Detail != "" {
					got += "\n" + f.Detail
				}
				if f.File != h.path("rules/x.test.hcl") || f.Line < 4 {
					t.Errorf("it is said to stand at %s:%d", f.File, f.Line)
				}
			}
			if strings.HasSuffix(tc.want, " ") && strings.HasPrefix(got, tc.want) {
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
		})
	}
}

// A long file is shown up to a point, and a line by itself.
func TestExcerpts(t *testing.T) {
	long := strings.Repeat("line\n", 50)
	if got := beginning(long); strings.Count(got, "\n") != 41 || !strings.HasSuffix(got, "…\n") {
		t.Errorf("the beginning is %q", got)
	}
	for _, text := range []string{"", "x", strings.Repeat("line\n", 40)} {
		if got := beginning(text); got != text {
			t.Errorf("the beginning of %q is %q", text, got)
		}
	}
	if got := lineAt("a\nbcd\ne", 3); got != "bcd\n" {
		t.Errorf("the line is %q", got)
	}
}
