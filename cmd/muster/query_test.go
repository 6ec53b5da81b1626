package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rpc"
)

// A query is over when all that were asked are through: they have answered,
// and acknowledged where that was asked for.
func TestTally(t *testing.T) {
	ack := func(from string) cluster.Answer { return cluster.Answer{From: from, Ack: true} }
	answer := func(from string) cluster.Answer { return cluster.Answer{From: from, Payload: []byte("x")} }
	for _, test := range []struct {
		name    string
		ack     bool
		answers []cluster.Answer
		over    bool
	}{
		{"acks and answers", true, []cluster.Answer{ack("a"), answer("a"), answer("b"), ack("b")}, true},
		{"an ack is missing", true, []cluster.Answer{ack("a"), answer("a"), answer("b")}, false},
		{"an answer is missing", true, []cluster.Answer{ack("a"), ack("b"), answer("b")}, false},
		{"no acks", false, []cluster.Answer{answer("a"), answer("b")}, true},
		{"a stranger", true, []cluster.Answer{ack("c"), answer("c")}, false},
	} {
		tally := newTally([]string{"a", "b"}, test.ack)
		over := tally.complete()
		for i, a := range test.answers {
			if over {
				t.Errorf("%s: over before answer %d", test.name, i)
			}
			over = tally.add(a)
		}
		if over != test.over {
			t.Errorf("%s: over is %t", test.name, over)
		}
	}
	if !newTally(nil, true).complete() {
		t.Error("nobody was asked, and it waits")
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tally := newTally([]string{"a", "b"}, false)
		tally.add(cluster.Answer{From: "b"})
		time.Sleep(2900 * time.Millisecond)
		if got, want := tally.progress(start, 5*time.Second), "1 of 2 answered, 2.1 s left"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, want := tally.progress(start, 0), "1 of 2 answered, 2.9 s so far"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if got, want := tally.progress(start, 5*time.Second), "1 of 2 answered, 0.0 s left"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// The progress line is drawn over itself and leaves nothing behind; without
// a terminal there is none.
func TestProgressLine(t *testing.T) {
	var out bytes.Buffer
	line := &progressLine{w: &out}
	line.draw("1 of 2")
	line.draw("1 of 2")
	line.draw("2 of 2")
	line.clear()
	line.clear()
	if got, want := out.String(), "\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	none := (&app{err: &out}).newProgress()
	none.draw("1 of 2")
	none.clear()
	if out.Len() > 0 {
		t.Errorf("%q without a terminal", out.String())
	}
}

// An answer is one line, whatever is in it.
func TestAnswerLine(t *testing.T) {
	for _, test := range []struct {
		answer cluster.Answer
		want   string
	}{
		{cluster.Answer{From: "web1", Ack: true}, "Ack from 'web1'"},
		{cluster.Answer{From: "web1", Payload: []byte("load 0.5\n")}, "Response from 'web1': load 0.5"},
		{cluster.Answer{From: "web1"}, "Response from 'web1': "},
		{cluster.Answer{From: "we\nb", Payload: []byte("a\nb\n")}, `Response from '"we\nb"': "a\nb"`},
		{cluster.Answer{From: "web1", Payload: []byte("\x1b]0;x\a")}, `Response from 'web1': "\x1b]0;x\a"`},
		{cluster.Answer{From: "web1", Payload: []byte("\xff\x00")}, `Response from 'web1': "\xff\x00"`},
	} {
		if got := answerLine(test.answer); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
	if got, want := harmless("bad\x1b[2J \xff \u009b é\tx\ny"), `bad\x1b[2J \xff \u009b é`+"\tx\ny"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Tags are matched whole, as our nodes match them, on stock nodes too.
func TestQueryTags(t *testing.T) {
	q := new(queryFlags).query("load", nil, nil, map[string]string{"role": "web|db"})
	for role, want := range map[string]bool{"web": true, "db": true, "webs": false, "": false} {
		if got := tagged(map[string]string{"role": role}, q.Tags); got != want {
			t.Errorf("role %q: %t", role, got)
		}
	}
	if !tagged(nil, map[string]string{"spare": "^(?:.*)$"}) {
		t.Error("a tag that is missing is not taken for an empty one")
	}
}

func TestReach(t *testing.T) {
	member := func(name string, status cluster.Status) rpc.Member {
		return rpc.Member{Member: cluster.Member{Name: name, Status: status}}
	}
	members := []rpc.Member{member("a", cluster.Alive), member("b", cluster.Alive), member("c", cluster.Failed)}
	for _, test := range []struct {
		name     string
		answers  string
		want     reach
		ok, over bool
	}{
		{"all", "a b", reach{Heard: []string{"a", "b"}}, true, true},
		{"one is missing", "b", reach{Heard: []string{"b"}, Missing: []string{"a"}}, false, false},
		{"one is strange", "c a b", reach{Heard: []string{"c", "a", "b"}, Strange: []string{"c"}}, false, true},
		{"one for another", "c a", reach{Heard: []string{"c", "a"}, Strange: []string{"c"}, Missing: []string{"b"}}, false, false},
		{"one comes twice", "a a b", reach{Heard: []string{"a", "b"}, Twice: []string{"a"}}, false, true},
	} {
		r := newReach(members)
		for from := range strings.FieldsSeq(test.answers) {
			r.add(from)
		}
		if r.complete() != test.over {
			t.Errorf("%s: complete is %t", test.name, r.complete())
		}
		r.close()
		r.live, test.want.Members, test.want.Live = nil, 3, 2
		if diff := cmp.Diff(&test.want, r, cmp.AllowUnexported(reach{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if r.ok() != test.ok {
			t.Errorf("%s: ok is %t", test.name, r.ok())
		}
	}
}

// The URI's hosts are matched by name and by address.
func TestMeant(t *testing.T) {
	var members []rpc.Member
	for i, name := range []string{"api-1", "web-1", "web-2"} {
		m := cluster.Member{Name: name, Addr: addrOf(t, i), Status: cluster.Alive}
		members = append(members, rpc.Member{Member: m})
	}
	for _, test := range []struct{ uri, names, unmatched string }{
		{"serf://web*/query/x", "web-1 web-2", ""},
		{"serf://web-?,10.0.0.1/query/x", "api-1 web-1 web-2", ""},
		{"serf://10.0.0.*/query/*-1/x", "api-1 web-1", ""},
		{"serf:///query/web-*/x", "web-1 web-2", ""},
		{"serf://web-1,web*,db/query/x", "web-1 web-2", "db"},
		{"serf://web/query/x", "", "web"},
	} {
		to, err := parseURI(test.uri)
		if err != nil {
			t.Fatal(err)
		}
		names, unmatched := to.meant(members)
		if got := strings.Join(names, " "); got != test.names || strings.Join(unmatched, " ") != test.unmatched {
			t.Errorf("%s: %s, without %v", test.uri, got, unmatched)
		}
	}
}

// A user event to some nodes only is refused: everybody would hear it.
func TestAddressCheck(t *testing.T) {
	for uri, ok := range map[string]bool{
		"serf:///user/x": true, "serf://*/user/x": true, "serf://web1,*/user/x": true, "serf:///user/*/x": true,
		"serf://web1/user/x": false, "serf:///user/web*/x": false, "serf:///user/x?tag=a=b": false, "serf://web1/query/x": true,
	} {
		to, err := parseURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.check(""); (err == nil) != ok {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func addrOf(t *testing.T, i int) netip.Addr {
	t.Helper()
	addr, err := netip.ParseAddr(fmt.Sprintf("10.0.0.%d", i+1))
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
