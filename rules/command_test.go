package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func TestCheckAndReload(t *testing.T) {
	set := mustLoad(t, `
locals { conf = "/etc/haproxy/haproxy.cfg" }

rule "bare" {
  template {
    contents    = "x"
    destination = "/etc/x"
  }
}

rule "lists" {
  template {
    contents    = "x"
    destination = local.conf
  }
  check  = ["haproxy", "-c", "-f", staged["/etc/haproxy/haproxy.cfg"], staged[local.conf]]
  reload = ["systemctl", "reload", "haproxy", 1]
}

rule "blocks" {
  template {
    contents    = "x"
    destination = "/etc/y"
  }
  check {
    command = ["nginx", "-t"]
    timeout = "10s"
    env     = { LANG = "C", N = 1 }
    user    = "www-data"
  }
  reload { command = concat(["nginx"], split(" ", "-s reload")) }
}
`)
	bare, lists, blocks := set.Rule("bare"), set.Rule("lists"), set.Rule("blocks")
	if argv, err := bare.CheckArgv(nil, ""); argv != nil || err != nil {
		t.Error(argv, err)
	}
	if argv, err := bare.ReloadArgv(); argv != nil || err != nil {
		t.Error(argv, err)
	}
	if o := bare.CheckOptions(); !cmp.Equal(o, CommandOptions{}) {
		t.Error(o)
	}
	argv, err := lists.CheckArgv(map[string]string{"/etc/haproxy/haproxy.cfg": "/tmp/staged"}, "")
	if diff := cmp.Diff([]string{"haproxy", "-c", "-f", "/tmp/staged", "/tmp/staged"}, argv); diff != "" || lists.Check.Mode != CheckStaged || err != nil {
		t.Error(diff, lists.Check.Mode, err)
	}
	argv, err = lists.ReloadArgv()
	if diff := cmp.Diff([]string{"systemctl", "reload", "haproxy", "1"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff(CommandOptions{Timeout: 30 * time.Second}, lists.ReloadOptions()); diff != "" {
		t.Error(diff)
	}
	argv, err = blocks.CheckArgv(nil, "")
	if diff := cmp.Diff([]string{"nginx", "-t"}, argv); diff != "" || blocks.Check.Mode != CheckAuto || err != nil {
		t.Error(diff, blocks.Check.Mode, err)
	}
	want := CommandOptions{Timeout: 10 * time.Second, Env: map[string]string{"LANG": "C", "N": "1"}, User: "www-data"}
	if diff := cmp.Diff(want, blocks.CheckOptions()); diff != "" {
		t.Error(diff)
	}
	argv, err = blocks.ReloadArgv()
	if diff := cmp.Diff([]string{"nginx", "-s", "reload"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	_, err = lists.CheckArgv(nil, "")
	const wantErr = `cannot evaluate check of rule "lists": no file "/etc/haproxy/haproxy.cfg" is staged`
	if err == nil || err.Error() != wantErr {
		t.Errorf("error %v, want %s", err, wantErr)
	}
}

func TestActing(t *testing.T) {
	set := mustLoad(t, `
rule "compile" {
  on     = ["user:compile"]
  when   = event.payload != "" && event.ltime > 0
  queue  = 3
  nodes  = "one"
  quorum = 2
  run {
    command    = ["/bin/compile", event.payload, self.tags.role, "${length(members)}"]
    timeout    = "10m"
    stdin      = "payload"
    env        = { NODE = self.name, EVENT = event.name }
    user       = "builder"
    retries    = 2
    idempotent = true
  }
  send {
    event   = "done-${event.name}"
    payload = "${run.exit_code}: ${run.stdout}"
  }
  send { event = "pull" }
}

rule "power-cycle" {
  on  = ["member-failed", "member-leave"]
  for = "2m"
  members { tags = { role = "db" } }
  run { command = ["/bin/cycle", member.name, member.tags.rack == null ? "-" : member.tags.rack] }
}

rule "load" {
  on = ["query:load"]
  respond { command = ["uptime"] }
}

rule "hello" {
  on = ["query:hello"]
  respond { text = "I am ${self.name}" }
}
`)
	compile := set.Rule("compile")
	in := exampleInputs()
	o := Occasion{Inputs: in, Event: cluster.Event{Type: cluster.EventUser, Name: "compile", Payload: []byte("x; rm -rf /"), LTime: 7}}
	if compile.Queue != 3 || compile.Nodes != NodesOne || compile.Quorum != 2 || compile.Renders() || !compile.Acts() || len(compile.Steps) != 3 {
		t.Errorf("%+v", compile.Act)
	}
	if ok, err := compile.Wanted(o); !ok || err != nil {
		t.Error(ok, err)
	}
	empty := o
	empty.Event.Payload = nil
	if ok, err := compile.Wanted(empty); ok || err != nil {
		t.Error(ok, err)
	}
	run := compile.Steps[0].Run
	argv, err := run.Argv(o)
	if diff := cmp.Diff([]string{"/bin/compile", "x; rm -rf /", "web", "3"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	options, err := run.Options(o)
	want := CommandOptions{Timeout: 10 * time.Minute, Env: map[string]string{"NODE": "a", "EVENT": "compile"}, User: "builder"}
	if diff := cmp.Diff(want, options); diff != "" || err != nil || run.Stdin != StdinPayload || run.Retries != 2 || !run.Idempotent {
		t.Error(diff, err, run)
	}
	o.Run = &RunResult{Stdout: "built\n", ExitCode: 0}
	name, payload, err := compile.Steps[1].Send.Event(o)
	if name != "done-compile" || string(payload) != "0: built\n" || err != nil {
		t.Error(name, string(payload), err)
	}
	if name, payload, err = compile.Steps[2].Send.Event(o); name != "pull" || payload != nil || err != nil {
		t.Error(name, payload, err)
	}
	o.Event.Name = "a\nb"
	if _, _, err = compile.Steps[1].Send.Event(o); err == nil {
		t.Error("an event with a line break in its name is sent")
	}

	cycle := set.Rule("power-cycle")
	db := member("db1", cluster.Failed, "role", "db")
	argv, err = cycle.Steps[0].Run.Argv(Occasion{Inputs: in, Member: &db})
	if diff := cmp.Diff([]string{"/bin/cycle", "db1", "-"}, argv); diff != "" || err != nil || cycle.For != 2*time.Minute {
		t.Error(diff, err)
	}
	if !cycle.Matches(db, in.View) || cycle.Matches(member("w", cluster.Failed, "role", "web"), in.View) {
		t.Error("the members of a rule that acts are not matched whatever their status")
	}
	db.Name = "nul\x00"
	if argv, err = cycle.Steps[0].Run.Argv(Occasion{Inputs: in, Member: &db}); err == nil {
		t.Errorf("an argument with a NUL byte: %q", argv)
	}
	if r := set.Rule("load").Steps[0].Respond; r.Command == nil || r.Command.Timeout != 30*time.Second {
		t.Errorf("%+v", r)
	}
	if text, err := set.Rule("hello").Steps[0].Respond.Text(o); text != "I am a" || err != nil {
		t.Error(text, err)
	}
}

// What a user of HCL reaches for in a rule that acts is there, and who sent an
// event is null where nobody knows.
func TestActingExpressions(t *testing.T) {
	set := mustLoad(t, `
rule "deploy" {
  on        = ["user:deploy"]
  signature = "required"
  when      = contains(["alice"], event.signer)
  run { command = ["/bin/deploy", split(",", chomp(event.payload))[0], chomp(event.payload)] }
  send {
    event   = trimspace(run.stdout)
    payload = event.signer == null ? "nobody" : event.signer
  }
}

rule "who" {
  on = ["query:who"]
  respond { text = event.from == null ? "nobody" : event.from }
}

rule "plain" {
  on        = ["user:plain"]
  signature = "none"
  run { command = ["/bin/plain", event.payload] }
}
`[1:])
	deploy := set.Rule("deploy")
	if !deploy.Signature || set.Rule("who").Signature || set.Rule("plain").Signature {
		t.Error("a signature is demanded where none is, or not where one is")
	}
	o := Occasion{Inputs: exampleInputs(), Event: cluster.Event{Type: cluster.EventUser, Name: "deploy", Payload: []byte("a,b\n")}}
	for signer, want := range map[string]bool{"": false, "mallory": false, "alice": true} {
		o.Signer = signer
		if ok, err := deploy.Wanted(o); ok != want || err != nil {
			t.Errorf("signed by %q: %v, %v", signer, ok, err)
		}
	}
	o.Signer = "alice"
	argv, err := deploy.Steps[0].Run.Argv(o)
	if diff := cmp.Diff([]string{"/bin/deploy", "a", "a,b"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	o.Run = &RunResult{Stdout: "next\n"}
	name, payload, err := deploy.Steps[1].Send.Event(o)
	if name != "next" || string(payload) != "alice" || err != nil {
		t.Error(name, string(payload), err)
	}
	query := Occasion{Inputs: o.Inputs, Event: cluster.Event{Type: cluster.EventQuery, Name: "who"}}
	for from, want := range map[string]string{"": "nobody", "web1": "web1"} {
		query.Event.From = from
		if text, err := set.Rule("who").Steps[0].Respond.Text(query); text != want || err != nil {
			t.Errorf("from %q: %q, %v", from, text, err)
		}
	}
}

func TestEventFilters(t *testing.T) {
	user := cluster.Event{Type: cluster.EventUser, Name: "deploy"}
	query := cluster.Event{Type: cluster.EventQuery, Name: "deploy"}
	join := cluster.Event{Type: cluster.EventJoin}
	for _, c := range []struct {
		filter string
		want   [3]bool // user, query, join
	}{
		{"*", [3]bool{true, true, true}},
		{"user", [3]bool{true, false, false}},
		{"user:deploy", [3]bool{true, false, false}},
		{"user:other", [3]bool{false, false, false}},
		{"query", [3]bool{false, true, false}},
		{"query:deploy", [3]bool{false, true, false}},
		{"member-join", [3]bool{false, false, true}},
		{"member-leave", [3]bool{false, false, false}},
	} {
		f, _, err := parseEventFilter(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{f.Match(user), f.Match(query), f.Match(join)}; got != c.want || f.String() != c.filter {
			t.Errorf("%s (%s): %v, want %v", c.filter, f, got, c.want)
		}
	}
	own := cluster.Event{Type: cluster.EventQuery, Name: cluster.OwnQuery + "load"}
	for _, f := range []EventFilter{{Type: "*"}, {Type: "query"}, {Type: "query", Name: own.Name}} {
		if f.Match(own) {
			t.Errorf("%s takes muster's own query", f)
		}
	}
	if (EventFilter{Type: "user"}).Match(own) || !(EventFilter{Type: "user"}).Match(cluster.Event{Type: cluster.EventUser, Name: own.Name}) {
		t.Error("the names of user events are nobody's")
	}
	r := mustLoad(t, "rule \"r\" {\n on = [\"user:a\", \"query\"]\n template {\n contents = \"x\"\n destination = \"/x\"\n }\n}").Rules[0]
	if r.Triggered(user) || !r.Triggered(query) || r.Triggered(join) {
		t.Error("the rule is triggered by what its filters do not name, or not by what they do")
	}
}
