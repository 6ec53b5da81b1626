package actions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

const logRule = `
rule "log" {
  on = ["user:log"]
  run { command = ["sh", "-c", "cat >>DIR/out"] }
}`

func TestAct(t *testing.T) {
	b := open(t, logRule).start()
	b.Hear(user("log", 1, "early")) // before there is a view
	if s := b.of("log"); s.Queued != 1 || s.Run != 0 {
		t.Errorf("%+v", s)
	}
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 2, "one"))
	b.Hear(user("other", 3, "x"))
	b.Hear(user("log", 2, "two")) // another one of the same time
	b.Hear(user("log", 2, "one")) // the same
	b.Hear(user("log", 1, "early"))
	s := b.idle("log")
	if got := b.text("out"); got != "early\none\ntwo\n" {
		t.Errorf("got %q", got)
	}
	if s.Heard != 5 || s.Run != 3 || s.Refused[RefusedReplay] != 2 || s.Failed != 0 || s.Last == nil || !s.Last.OK || s.Last.Event != "user:log (2)" {
		t.Errorf("%+v", s)
	}
	if b.Clock() != 3 {
		t.Errorf("clock %d", b.Clock())
	}
	b.stop()
	b = reopen(t, b.dir, logRule).start()
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 2, "two"))
	b.Hear(user("log", 4, "three"))
	b.idle("log")
	if got := b.text("out"); got != "early\none\ntwo\nthree\n" || b.Clock() != 4 {
		t.Errorf("after a restart: %q, clock %d", got, b.Clock())
	}
	if strings.Contains(b.log.String(), "three") {
		t.Errorf("a payload is in the log:\n%s", b.log)
	}
}

// A rule's actions run in order, one at a time; another rule's do not wait.
func TestRulesDoNotWaitForEachOther(t *testing.T) {
	b := open(t, logRule+`
rule "hang" {
  on = ["user:log"]
  run {
    command = ["sh", "-c", "sleep 1000"]
    timeout = "1h"
  }
}`).start()
	b.Look(view(member("n", nil)))
	for i := range uint64(10) {
		b.Hear(user("log", i+1, string(rune('a'+i))))
	}
	b.idle("log")
	if got := strings.ReplaceAll(b.text("out"), "\n", ""); got != "abcdefghij" {
		t.Errorf("got %q", got)
	}
	b.eventually("the command runs", func() bool { s := b.of("hang"); return s.Running != nil && s.Running.Argv != nil })
	s := b.of("hang")
	if s.Run != 1 || s.Queued != 9 || !slices.Equal(s.Running.Argv, []string{"sh", "-c", "sleep 1000"}) || s.Running.Event != "user:log (1)" {
		t.Errorf("%+v %+v", s, s.Running)
	}
	b.stop() // within ten seconds
}

func TestWhenSelfAndMembers(t *testing.T) {
	b := open(t, `
rule "web" {
  on = ["member-join", "member-failed"]
  members { tags = { role = "web" } }
  self { tags = { role = "lb" } }
  when = member.tags.weight != "0"
  run { command = ["sh", "-c", "echo $1 $2 $SERF_EVENT >>DIR/out; cat >>DIR/out", "sh", member.name, member.tags.role] }
}
rule "bad" {
  on = ["user:x"]
  when = tonumber(event.payload) > 1
  run { command = ["true"] }
}`).start()
	b.Look(view(member("lb", map[string]string{"role": "lb"})))
	web := func(name string, tags ...string) cluster.Member {
		m := member(name, map[string]string{"role": "web"})
		for i := 0; i < len(tags); i += 2 {
			m.Tags[tags[i]] = tags[i+1]
		}
		return m
	}
	b.Hear(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{web("a"), member("db", nil), web("b", "weight", "0"), web("c", "x", "tab\there")}})
	b.Hear(cluster.Event{Type: cluster.EventLeave, Members: []cluster.Member{web("a")}})
	b.Hear(cluster.Event{Type: cluster.EventFailed, Members: []cluster.Member{with(web("d"), cluster.Failed)}})
	s := b.idle("web")
	want := "a web member-join\na\t10.0.0.1\tweb\trole=web\n" +
		"c web member-join\nc\t10.0.0.1\tweb\trole=web,x=tab\\there\n" +
		"d web member-failed\nd\t10.0.0.1\tweb\trole=web\n"
	if diff := cmp.Diff(want, b.text("out")); diff != "" {
		t.Error(diff)
	}
	if s.Heard != 5 || s.Unwanted != 2 || s.Run != 3 {
		t.Errorf("%+v", s)
	}
	b.Look(view(member("lb", map[string]string{"role": "spare"})))
	b.Hear(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{web("a")}})
	if s := b.of("web"); s.Unwanted != 3 {
		t.Errorf("not in force: %+v", s)
	}

	b.Hear(user("x", 1, "2"))
	b.Hear(user("x", 2, "none"))
	b.Hear(user("x", 3, "none"))
	if s := b.idle("bad"); s.Run != 1 || s.Unwanted != 2 || !strings.Contains(s.Problem, "cannot evaluate when") {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(b.log.String(), "cannot judge"); n != 1 {
		t.Errorf("the same mistake was logged %d times", n)
	}
	b.Hear(user("x", 4, "3"))
	if s := b.idle("bad"); s.Run != 2 || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

func TestChain(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	fails := 0
	b := open(t, `
rule "compile" {
  on = ["user:compile"]
  run {
    command = ["sh", "-c", "echo image-$1; echo noise >&2; test $1 != broken", "sh", event.payload]
  }
  run { command = ["sh", "-c", "echo $1", "sh", upper(run.stdout)] }
  send {
    event   = "pull"
    payload = trimspace(run.stdout)
  }
}`, func(c *Config) {
		c.Send = func(_ context.Context, name string, payload []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if fails++; fails == 1 {
				return errors.New("not now")
			}
			sent = append(sent, name+"="+string(payload))
			return nil
		}
	}).start()
	b.Look(view(member("n", nil)))
	b.Hear(user("compile", 1, "a"))
	b.Hear(user("compile", 2, "broken"))
	b.Hear(user("compile", 3, "c"))
	s := b.idle("compile")
	if diff := cmp.Diff([]string{"pull=IMAGE-A", "pull=IMAGE-C"}, sent); diff != "" {
		t.Error(diff)
	}
	if s.Failed != 1 || s.Last.Verdict != "sent pull, 7 bytes" {
		t.Errorf("%+v", s.Last)
	}
	if log := b.log.String(); !strings.Contains(log, "sh: exit status 1: ") || !strings.Contains(log, "image-broken") || !strings.Contains(log, "noise") {
		t.Errorf("the failure is not told:\n%s", b.log)
	}
}

func TestRespond(t *testing.T) {
	b := open(t, `
rule "load" {
  on = ["query:load"]
  respond { command = ["sh", "-c", "echo fine; echo noise >&2; test -z \"$1\"", "sh", event.payload] }
}
rule "ok" {
  on = ["query:ok"]
  respond { text = "${self.name} is ${event.payload}" }
}`).start()
	b.Look(view(member("n", nil)))
	answers := make(chan string, 10)
	query := func(name, payload string, deadline time.Time) cluster.Event {
		return cluster.Event{Type: cluster.EventQuery, Name: name, Payload: []byte(payload), Deadline: deadline, Answer: func(b []byte) error {
			if len(b) > 20 {
				return errors.New("too long (21 of 20 bytes)")
			}
			answers <- string(b)
			return nil
		}}
	}
	b.Hear(query("load", "", time.Now().Add(time.Hour)))
	b.Hear(query("ok", "well", time.Time{}))
	b.idle("load")
	b.idle("ok")
	b.Hear(query("load", "fail", time.Time{}))
	b.Hear(query("load", "", time.Now().Add(-time.Second)))
	b.Hear(query("ok", strings.Repeat("x", 20), time.Time{}))
	if s := b.idle("load"); s.Failed != 1 || s.Refused[RefusedLate] != 1 || s.Run != 2 {
		t.Errorf("%+v", s)
	}
	if s := b.idle("ok"); s.Failed != 1 || !strings.Contains(s.Last.Verdict, "too long (21 of 20 bytes)") {
		t.Errorf("%+v", s.Last)
	}
	b.Hear(cluster.Event{Type: cluster.EventQuery, Name: "ok"})
	if s := b.idle("ok"); s.Failed != 2 || !strings.Contains(s.Last.Verdict, "no query that can be answered from here") {
		t.Errorf("%+v", s.Last)
	}
	close(answers)
	var got []string
	for a := range answers {
		got = append(got, a)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"fine\n", "n is well"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestInputAndEnvironment(t *testing.T) {
	t.Setenv("SECRET", "leaks")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("HOME", "/root")
	b := open(t, `
rule "payload" {
  on = ["user:x"]
  run {
    command = ["sh", "-c", "cat >DIR/payload; env | grep -v ^PATH= | grep -v ^PWD= | sort >DIR/env"]
    stdin   = "payload"
    env     = { REGISTRY = event.payload, SERF_TAG_B = "mine" }
  }
}
rule "json" {
  on = ["user:x"]
  run {
    command = ["sh", "-c", "cat >DIR/json"]
    stdin   = "json"
  }
}`, func(c *Config) { c.Socket = "/run/muster/api.sock" }).start()
	b.Look(view(member("n", map[string]string{"role": "storage,mogfs", "munin-group": "disk", "b": "x"})))
	b.Hear(user("x", 7, "p1"))
	b.idle("payload")
	b.idle("json")
	want := "HOME=/root\nLANG=C.UTF-8\nMUSTER_SOCKET=/run/muster/api.sock\nREGISTRY=p1\nSERF_EVENT=user\nSERF_SELF_NAME=n\nSERF_SELF_ROLE=storage,mogfs\n" +
		"SERF_TAG_B=mine\nSERF_TAG_MUNIN_GROUP=disk\nSERF_TAG_ROLE=storage,mogfs\nSERF_USER_EVENT=x\nSERF_USER_LTIME=7\n"
	if diff := cmp.Diff(want, b.text("env")); diff != "" {
		t.Error(diff)
	}
	if got := b.text("payload"); got != "p1" {
		t.Errorf("payload %q", got)
	}
	wantJSON := `{"type":"user","name":"x","ltime":7,"payload":"p1","self":{"name":"n","addr":"10.0.0.1","port":7946,"status":"alive","tags":{"b":"x","munin-group":"disk","role":"storage,mogfs"}},"rule":"json"}` + "\n"
	if diff := cmp.Diff(wantJSON, b.text("json")); diff != "" {
		t.Error(diff)
	}
	b.Hear(user("x", 8, "\xff"))
	b.idle("json")
	if got := b.text("json"); !strings.Contains(got, `"payload_base64":"/w=="`) {
		t.Errorf("json %s", got)
	}
}

func TestGossipIsRefused(t *testing.T) {
	b := open(t, "").start()
	b.Use(Set{Rules: b.rules(logRule), Refuse: "gossip is not encrypted"})
	b.Look(view(member("n", nil)))
	b.Hear(user("log", 1, "x"))
	if s := b.of("log"); s.Refused[RefusedGossip] != 1 || s.Problem != "gossip is not encrypted" {
		t.Errorf("%+v", s)
	}
	b.Use(Set{Rules: b.rules(logRule)})
	b.Hear(user("log", 2, "y"))
	if s := b.idle("log"); s.Run != 1 || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

// Queues of rules that stay are kept; what waits for one that goes is not.
func TestUseKeepsQueues(t *testing.T) {
	slow := `
rule "slow" {
  on = ["user:log"]
  run { command = ["sh", "-c", "echo run >>DIR/slow; while ! test -e DIR/go; do sleep 0.01; done"] }
}`
	b := open(t, slow+logRule).start()
	b.Look(view(member("n", nil)))
	for i := range uint64(3) {
		b.Hear(user("log", i+1, "x"))
	}
	b.idle("log")
	b.eventually("one runs", func() bool { return b.of("slow").Running != nil })
	b.Use(Set{Rules: b.rules(slow)})
	if s := b.of("slow"); s.Queued != 2 || s.Running == nil {
		t.Errorf("%+v", s)
	}
	b.Use(Set{})
	if len(b.Status()) != 0 {
		t.Errorf("%+v", b.Status())
	}
	b.Use(Set{Rules: b.rules(slow)})
	if s := b.of("slow"); s.Queued != 0 || s.Dropped != 2 || s.Running == nil {
		t.Errorf("came back: %+v", s)
	}
	b.Hear(user("log", 9, "x"))
	b.Hear(user("log", 1, "x"))
	write(t, b.dir+"/go", "")
	if s := b.idle("slow"); s.Run != 2 || s.Refused[RefusedReplay] != 1 || b.text("slow") != "run\nrun\n" {
		t.Errorf("%+v, ran %q", s, b.text("slow"))
	}
}
