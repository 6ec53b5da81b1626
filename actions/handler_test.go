package actions

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rules"
)

func line(t testing.TB, text string) rules.Handler {
	t.Helper()
	h, err := rules.ParseHandler(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A line of event_handlers is a shell's, with the agent's environment and
// Serf's; what it prints answers a query.
func TestHandlerLine(t *testing.T) {
	t.Setenv("FROM_THE_AGENT", "yes")
	b := open(t, "").start()
	all := line(t, `env | grep -e ^SERF -e ^FROM | sort >>`+b.dir+`/out; cat >>`+b.dir+`/out`)
	b.Use(Set{Handlers: []rules.Handler{all, line(t, "query:who=echo out; echo err >&2; cat"), line(t, "query:bad=echo out; exit 1"), line(t, "query:quiet=true")}, Refuse: "gossip is not encrypted"})
	b.Look(view(member("n", map[string]string{"role": "storage,mogfs", "munin-group": "disk"})))
	b.Hear(user("x", 3, `a $(touch `+b.dir+`/hacked) "; touch `+b.dir+`/hacked`))
	b.idle(all.Line)
	want := "FROM_THE_AGENT=yes\nSERF_EVENT=user\nSERF_SELF_NAME=n\nSERF_SELF_ROLE=storage,mogfs\nSERF_TAG_MUNIN_GROUP=disk\nSERF_TAG_ROLE=storage,mogfs\nSERF_USER_EVENT=x\nSERF_USER_LTIME=3\n" +
		"a $(touch " + b.dir + "/hacked) \"; touch " + b.dir + "/hacked\n"
	if diff := cmp.Diff(want, b.text("out")); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(b.dir + "/hacked"); err == nil {
		t.Error("a payload became a command")
	}
	answers := make(chan string, 4)
	for _, name := range []string{"who", "bad", "quiet"} {
		b.Hear(cluster.Event{Type: cluster.EventQuery, Name: name, Payload: []byte("p"), Answer: func(p []byte) error { answers <- name + ": " + string(p); return nil }})
	}
	for _, s := range b.Status() {
		b.idle(s.Name)
	}
	close(answers)
	var got []string
	for a := range answers {
		got = append(got, a)
	}
	if diff := cmp.Diff([]string{"who: out\nerr\np\n"}, got); diff != "" {
		t.Error(diff)
	}
	if s := b.of("query:bad=echo out; exit 1"); s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

// Member events and user events that were sent to be coalesced reach handlers
// as Serf's agent hands them on.
func TestHandlersAreCoalesced(t *testing.T) {
	b := open(t, "")
	b.coalescer.Period, b.coalescer.Quiet = 10*time.Second, time.Second
	b.start()
	h := line(t, "*=echo $SERF_EVENT $SERF_USER_EVENT $SERF_USER_LTIME >>"+b.dir+"/out; cat >>"+b.dir+"/out")
	b.Use(Set{Handlers: []rules.Handler{h}})
	me := member("n", nil)
	b.Look(view(me))
	coalesced := func(n uint64) cluster.Event { e := user("c", n, "p"); e.Coalesce = true; return e }
	b.Hear(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{me}})
	b.Hear(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{member("a", map[string]string{"role": "x\ny"})}})
	b.Hear(coalesced(1))
	b.Hear(coalesced(2))
	b.Hear(user("at-once", 3, ""))
	b.eventually("all came", func() bool { s := b.of(h.Line); return s.Run == 3 && s.Running == nil })
	want := "user at-once 3\nmember-join\na\t10.0.0.1\tx\\ny\trole=x\\ny\nn\t10.0.0.1\t\t\nuser c 2\np\n"
	if diff := cmp.Diff(want, b.text("out")); diff != "" {
		t.Error(diff)
	}
	b.Hear(coalesced(5)) // held back at the end: no timer is left
}

// A handler that hangs holds up nobody but itself, and not for long.
func TestHandlerTimeout(t *testing.T) {
	b := open(t, "", func(c *Config) { c.HandlerTimeout = 3 * time.Second }).start()
	slow, quick := line(t, "user:x=trap '' TERM; while :; do sleep 1; done"), line(t, "user:x=echo quick >>"+b.dir+"/out")
	b.Use(Set{Handlers: []rules.Handler{slow, quick, slow}}) // one of them twice
	b.Look(view(member("n", nil)))
	b.Hear(user("x", 1, ""))
	b.idle(quick.Line)
	if b.text("out") != "quick\n" || b.of(slow.Line).Running == nil || len(b.Status()) != 3 {
		t.Errorf("%+v", b.Status())
	}
	if s := b.idle(slow.Line); s.Failed != 1 || !strings.HasPrefix(s.Last.Verdict, "timed out after") {
		t.Errorf("%+v", s.Last)
	}
}

func TestFolder(t *testing.T) {
	b := open(t, "").start()
	dir := filepath.Join(b.dir, "handlers")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		write(t, path, "#!/bin/sh\n"+text)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	deploy := script("deploy.sh", "echo \"$# $0 $SERF_USER_EVENT $SERF_USER_LTIME $(cat)\" >>"+b.dir+"/out\n", 0o755)
	open := script("open.sh", "touch "+b.dir+"/hacked\n", 0o757)
	plain := script("plain.sh", "", 0o644)
	script("README", "", 0o644)
	script("rollout", "", 0o755)
	script(".hidden.sh", "", 0o755)
	b.Use(Set{Dir: dir})
	b.Look(view(member("n", nil)))
	want := []string{
		open + " does not handle anything: everybody may write to it: chmod o-w",
		plain + " does not handle anything: it is not executable: chmod +x",
		dir + "/rollout does not handle anything: its name is not EVENT.sh, of letters, digits and _ . : @ -",
	}
	if diff := cmp.Diff(want, b.Problems()); diff != "" {
		t.Error(diff)
	}
	b.Hear(user("deploy", 1, "v1"))
	b.Hear(user("deploy", 1, "v1"))
	b.Hear(user("open", 2, ""))
	s := b.idle(deploy)
	if got := b.text("out"); got != "0 "+deploy+" deploy 1 v1\n" || s.Refused[RefusedReplay] != 1 || s.Kind != KindFile {
		t.Errorf("%q, %+v", got, s)
	}
	// a new one is noticed when an event comes, changed rights with Rescan
	late := script("late.sh", "echo late >>"+b.dir+"/out\n", 0o755)
	b.Hear(user("late", 3, ""))
	b.idle(late)
	if err := os.Chmod(plain, 0o755); err != nil {
		t.Fatal(err)
	}
	b.Rescan()
	if len(b.Status()) != 3 || len(b.Problems()) != 2 {
		t.Errorf("%+v", b.Status())
	}
	// one that everybody may write to meanwhile is not run
	if err := os.Chmod(deploy, 0o777); err != nil {
		t.Fatal(err)
	}
	b.Hear(user("deploy", 4, "v2"))
	if s := b.idle(deploy); s.Failed != 1 || !strings.Contains(s.Last.Verdict, "everybody may write to it") {
		t.Errorf("%+v", s.Last)
	}
	if err := os.Remove(late); err != nil {
		t.Fatal(err)
	}
	b.Hear(user("late", 5, ""))
	if len(b.Status()) != 2-1 { // deploy is refused now, too; plain is left
		t.Errorf("%+v", b.Status())
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	b.Rescan()
	if p := b.Problems(); len(p) != 1 || p[0] != "cannot use the handlers in "+dir+": everybody may write to it: chmod o-w" || len(b.Status()) != 0 {
		t.Errorf("%q %+v", p, b.Status())
	}
	b.Use(Set{Dir: dir + "/none"})
	if p := b.Problems(); len(p) != 1 || !strings.HasSuffix(p[0], "/none: no such file or directory") {
		t.Errorf("%q", p)
	}
	if strings.Count(b.text("out"), "\n") != 2 {
		t.Errorf("%q", b.text("out"))
	}
}

// Whoever may change a handler, or put one there, has the agent's rights.
func TestHandlersBelongToNobodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: looking at modes alone")
	}
	const eve = 12345
	dir := t.TempDir()
	path := filepath.Join(dir, "deploy.sh")
	write(t, path, "#!/bin/sh\n")
	for _, tc := range []struct {
		path     string
		uid, gid int
		mode     os.FileMode
		want     string
	}{
		{path, 0, 0, 0o755, ""},
		{path, 0, 0, 0o775, ""},
		{path, 0, 0, 0o757, "everybody may write to it"},
		{path, eve, 0, 0o755, "it belongs to user 12345"},
		{path, 0, eve, 0o755, ""},
		{path, 0, eve, 0o775, "group 12345 may write to it"},
		{dir, eve, 0, 0o755, "it belongs to user 12345"},
		{dir, 0, eve, 0o2775, "group 12345 may write to it"},
		{dir, 0, 0, 0o757 | os.ModeSticky, "everybody may write to it"},
	} {
		if os.Geteuid() != 0 && tc.uid+tc.gid > 0 {
			continue
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(tc.path, tc.uid, tc.gid); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(tc.path, tc.mode); err != nil {
			t.Fatal(err)
		}
		var f folder
		f.open(dir)
		if got := strings.Join(f.problems, "\n"); len(f.files) != 1-len(f.problems) || tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s of %d:%d, mode %o: %d handlers, %q", tc.path, tc.uid, tc.gid, tc.mode, len(f.files), got)
		}
		if err := errors.Join(os.Lchown(tc.path, os.Geteuid(), os.Getegid()), os.Chmod(tc.path, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

// What acts may be replaced, by itself even, while it acts: lines that look
// like others included. (The race detector looks on.)
func TestUseWhileHandlersWork(t *testing.T) {
	var handlers []rules.Handler
	for _, line := range []string{"user=true", "user=true", "user=true 2"} {
		h, err := rules.ParseHandler(line)
		if err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, h)
	}
	b := open(t, "")
	b.exec = (&fake{}).exec
	var dirs []string
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(b.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "x.sh"), "#!/bin/sh\n")
		dirs = append(dirs, dir)
	}
	rule := `
rule "r" {
  on = ["user:x"]
  run { command = ["true"] }
}`
	b.start()
	b.Look(view(member("n", nil)))
	for i := range 200 {
		b.Hear(user("x", uint64(i+1), ""))
		b.Use(Set{Rules: b.rules(rule), Handlers: handlers, Dir: dirs[i/8%2]})
	}
	if n := len(b.Status()); n != 5 {
		t.Errorf("%d act", n)
	}
	for _, name := range []string{"r", "user=true", "user=true 2"} {
		if s := b.idle(name); s.Run+s.Dropped == 0 {
			t.Errorf("%+v", s)
		}
	}
}
