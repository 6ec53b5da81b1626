package actions

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rules"
)

// The handlers of Serf's documentation, and of those who used them: each
// writes what it was told to a file of its own.
var stockHandlers = map[string]string{
	"env":        `env | grep SERF | grep -v LTIME | sort`,
	"stdin":      `cat`,
	"date":       `date >/dev/null && echo dated`,
	"args":       `echo "$# $0"`,
	"role-check": `while read -r name addr role tags; do case "$role" in *storage*) echo "$name at $addr stores: $tags";; *) echo "$name: ${role:-nothing}";; esac; done`,
	"vars":       `echo "$SERF_EVENT/$SERF_USER_EVENT$SERF_QUERY_NAME from $SERF_SELF_NAME ($SERF_SELF_ROLE $SERF_TAG_ROLE $SERF_TAG_MUNIN_GROUP)"`,
}

// The same handlers, on the same events, write the same bytes whether Debian's
// serf runs them or muster.
func TestAsStock(t *testing.T) {
	program, err := exec.LookPath("serf")
	if err != nil {
		t.Fatal("this test compares with the program of Debian's package serf: ", err)
	}
	tags := map[string]string{"role": "storage,mogfs", "munin-group": "disk group", "Odd.tag/é": "x=y", "zero": ""}
	stock, ours := t.TempDir(), t.TempDir()
	host := fmt.Sprintf("127.48.%d.1", 128+os.Getpid()%100)
	address, rpc := host+":7946", host+":7373"
	args := []string{"agent", "-node=n-1", "-bind=" + address, "-rpc-addr=" + rpc, "-profile=local", "-log-level=debug"}
	for name, value := range tags {
		args = append(args, "-tag", name+"="+value)
	}
	lines := func(dir string) []string {
		out := []string{"query:who=echo \"I am $SERF_SELF_NAME, asked $(cat)\""}
		for name, script := range stockHandlers {
			out = append(out, fmt.Sprintf("user:x,user:empty,member-join,query:q=sh -c '%s' >>%s/%s-$SERF_EVENT-$SERF_USER_EVENT$SERF_QUERY_NAME 2>&1",
				strings.ReplaceAll(script, "'", `'\''`), dir, name))
		}
		slices.Sort(out)
		return out
	}
	for _, l := range lines(stock) {
		args = append(args, "-event-handler="+l)
	}
	agent := exec.Command(program, args...)
	var log bytes.Buffer
	agent.Stdout, agent.Stderr = &log, &log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	serf := func(args ...string) (string, bool) {
		out, err := exec.Command(program, slices.Insert(slices.Clone(args), 1, "-rpc-addr="+rpc)...).CombinedOutput()
		return string(out), err == nil
	}
	for deadline := time.Now().Add(hang); ; time.Sleep(20 * time.Millisecond) {
		if _, ok := serf("info"); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("serf does not start")
		}
	}
	payload := "first line\n second\t$HOME `id` \"quoted\" é\\n"
	for _, args := range [][]string{{"event", "-coalesce=false", "x", payload}, {"event", "-coalesce=false", "empty"}, {"query", "-timeout=1s", "q", "question"}} {
		if out, ok := serf(args...); !ok {
			t.Fatalf("serf %q: %s", args, out)
		}
	}
	answer, _ := serf("query", "-timeout=5s", "who", "me")

	b := reopen(t, ours, "").start()
	var hs []rules.Handler
	for _, l := range lines(ours) {
		hs = append(hs, line(t, l))
	}
	b.Use(Set{Handlers: hs})
	me := member("n-1", tags)
	me.Addr = netip.MustParseAddrPort(address).Addr()
	b.Look(view(me))
	b.Hear(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{me}})
	b.Hear(user("x", 1, payload))
	b.Hear(user("empty", 2, ""))
	b.Hear(cluster.Event{Type: cluster.EventQuery, Name: "q", LTime: 1, Payload: []byte("question")})
	answered := make(chan string, 1)
	b.Hear(cluster.Event{Type: cluster.EventQuery, Name: "who", LTime: 2, Payload: []byte("me"), Answer: func(p []byte) error { answered <- string(p); return nil }})

	want := 4 * len(stockHandlers)
	var theirs map[string]string
	b.eventually("all handlers have run", func() bool {
		theirs = outputs(t, stock)
		return len(theirs) == want && len(outputs(t, ours)) == want
	})
	for _, s := range b.Status() {
		b.idle(s.Name)
	}
	diff := cmp.Diff(theirs, outputs(t, ours))
	for deadline := time.Now().Add(hang); diff != "" && time.Now().Before(deadline); diff = cmp.Diff(outputs(t, stock), outputs(t, ours)) {
		time.Sleep(50 * time.Millisecond) // the last of stock's handlers may be writing
	}
	if diff != "" {
		t.Errorf("(-serf +muster)\n%s", diff)
	}
	if got := <-answered; !strings.Contains(answer, "Response from 'n-1': "+strings.TrimSuffix(got, "\n")) {
		t.Errorf("answered %q, serf: %s", got, answer)
	}
	if text := theirs["env-member-join-"]; !strings.Contains(text, "SERF_TAG_MUNIN_GROUP=disk group\n") || !strings.Contains(text, "SERF_TAG_ODD_TAG__=x=y\n") || !strings.Contains(text, "SERF_SELF_ROLE=storage,mogfs\n") {
		t.Errorf("the comparison proves little:\n%s", text)
	}
}

// outputs reads what handlers wrote, by the name of the file. The order in
// which stock lists the tags of a member is another each time.
func outputs(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all := string(text)
		if strings.Contains(e.Name(), "member") && !strings.HasPrefix(e.Name(), "env") {
			all = sortTags(all)
		}
		out[e.Name()] = strings.ReplaceAll(all, dir, "DIR")
	}
	return out
}

// sortTags sorts the tags in the last column of lines that are about a member.
// A value of these tests has one comma, in front of "mogfs".
func sortTags(text string) string {
	var out strings.Builder
	for l := range strings.Lines(text) {
		i := strings.LastIndexByte(l, '\t')
		if j := strings.LastIndex(l, "stores: "); j >= 0 {
			i = j + len("stores:")
		}
		tags := strings.Split(strings.ReplaceAll(strings.TrimSuffix(l[i+1:], "\n"), ",mogfs", "+mogfs"), ",")
		slices.Sort(tags)
		out.WriteString(l[:i+1] + strings.Join(tags, ",") + "\n")
	}
	return out.String()
}
