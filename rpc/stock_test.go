package rpc_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/serf/client"

	"muster/cluster"
	"muster/rpc"
)

// names lists the names and states of members, sorted.
func names(ms []client.Member) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Name+":"+m.Status)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Serf's own client sees and controls a node of ours by every command.
func TestStockClient(t *testing.T) {
	a := serve(t, cluster.Config{Name: "a", Tags: map[string]string{"role": "lb"}}, rpc.ServerConfig{})
	b := serve(t, cluster.Config{Name: "b", Tags: map[string]string{"role": "web", "dc": "eu"}}, rpc.ServerConfig{})
	gone := serve(t, cluster.Config{Name: "gone"}, rpc.ServerConfig{})
	ca, cb := a.dial(t, ""), b.dial(t, "")

	eventsB := make(chan map[string]any, 64)
	if _, err := cb.Stream("*", eventsB); err != nil {
		t.Fatal(err)
	}
	logA := make(chan string, 4096)
	if _, err := ca.Monitor("DEBUG", logA); err != nil {
		t.Fatal(err)
	}

	t.Run("join", func(t *testing.T) {
		if n, err := ca.Join([]string{b.seed(), gone.seed()}, false); err != nil || n != 2 {
			t.Fatalf("joined %d, %v", n, err)
		}
		if n, err := ca.Join([]string{"127.46.255.1:1"}, false); err == nil || n != 0 {
			t.Errorf("joined %d through nobody, %v", n, err)
		}
		for _, s := range []*served{a, b} {
			s.wait(t, func(v cluster.View) bool { return len(v.Members) == 3 && v.Settled })
		}
		e := receive(t, "a join", eventsB)
		for fmt.Sprint(e["Event"]) != "member-join" || !strings.Contains(fmt.Sprint(e["Members"]), "Name:a ") {
			e = receive(t, "the join of a", eventsB)
		}
		m := e["Members"].([]any)[0].(map[any]any)
		want := map[any]any{
			"Name": "a", "Addr": m["Addr"], "Port": uint64(7946), "Tags": map[any]any{"role": "lb"}, "Status": "alive",
			"ProtocolMin": int64(1), "ProtocolMax": int64(5), "ProtocolCur": int64(2),
			"DelegateMin": int64(2), "DelegateMax": int64(5), "DelegateCur": int64(5),
		}
		if diff := cmp.Diff(want, m); diff != "" || len(m["Addr"].([]byte)) != 4 {
			t.Errorf("member (-want +got):\n%s", diff)
		}
	})

	t.Run("members", func(t *testing.T) {
		for _, tt := range []struct {
			tags         map[string]string
			status, name string
			want         string
		}{
			{nil, "", "", "a:alive b:alive gone:alive"},
			{map[string]string{"role": "w.b"}, "", "", "b:alive"},
			{map[string]string{"role": "we"}, "", "", ""},
			{map[string]string{"role": ".*", "dc": "|us"}, "", "", "a:alive gone:alive"},
			{nil, "alive", "a|b", "a:alive b:alive"},
			{nil, "failed|left", "", ""},
		} {
			got, err := ca.MembersFiltered(tt.tags, tt.status, tt.name)
			if err != nil || names(got) != tt.want {
				t.Errorf("%v %q %q: %s, %v; want %s", tt.tags, tt.status, tt.name, names(got), err, tt.want)
			}
		}
		if got, err := ca.Members(); err != nil || names(got) != "a:alive b:alive gone:alive" {
			t.Errorf("%s, %v", names(got), err)
		}
		if _, err := ca.MembersFiltered(nil, "", "("); err == nil || ca.IsClosed() {
			t.Errorf("a pattern that is none: %v; closed %v", err, ca.IsClosed())
		}
	})

	t.Run("event", func(t *testing.T) {
		users := make(chan map[string]any, 64)
		handle, err := cb.Stream("user:deploy,query:none", users)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"other", "deploy"} {
			if err := ca.UserEvent(name, []byte("v1\x00"), true); err != nil {
				t.Fatal(err)
			}
		}
		e := receive(t, "the user event", users)
		want := map[string]any{"Event": "user", "Name": "deploy", "Payload": []byte("v1\x00"), "LTime": e["LTime"], "Coalesce": true}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
		if err := cb.Stop(handle); err != nil {
			t.Fatal(err)
		}
		if err := ca.UserEvent("big", make([]byte, 10_000), true); err == nil {
			t.Error("a payload of 10,000 bytes is sent")
		}
	})

	t.Run("tags", func(t *testing.T) {
		if err := cb.UpdateTags(map[string]string{"new": "1"}, []string{"dc"}); err != nil {
			t.Fatal(err)
		}
		got, err := cb.MembersFiltered(nil, "", "b")
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		if diff := cmp.Diff(map[string]string{"role": "web", "new": "1"}, got[0].Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		if err := cb.UpdateTags(map[string]string{"big": strings.Repeat("x", 600)}, nil); err == nil {
			t.Error("a tag of 600 bytes is set")
		}
	})

	t.Run("query", func(t *testing.T) { stockQuery(t, ca, cb) })

	t.Run("stats", func(t *testing.T) {
		got, err := ca.Stats()
		if err != nil || got["agent"]["name"] != "a" || got["serf"]["members"] != "3" || got["tags"]["role"] != "lb" {
			t.Errorf("%v, %v", got, err)
		}
	})

	t.Run("get-coordinate", func(t *testing.T) {
		at, err := ca.GetCoordinate("a")
		if err != nil || at == nil || len(at.Vec) != 8 {
			t.Errorf("%v, %v", at, err)
		}
		if at, err := ca.GetCoordinate("nobody"); at != nil || err != nil {
			t.Errorf("%v, %v", at, err)
		}
	})

	t.Run("keys", func(t *testing.T) {
		if _, err := ca.InstallKey("5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4="); err == nil || ca.IsClosed() {
			t.Errorf("a key is installed without encryption: %v; closed %v", err, ca.IsClosed())
		}
		if _, _, _, err := ca.ListKeys(); err == nil || ca.IsClosed() {
			t.Errorf("keys are listed without encryption: %v; closed %v", err, ca.IsClosed())
		}
	})

	t.Run("monitor", func(t *testing.T) {
		for line := ""; !strings.Contains(line, "EventMemberJoin: b"); {
			line = receive(t, "the line about b", logA)
		}
		if _, err := ca.Monitor("INFO", make(chan string, 1)); err == nil || err.Error() != "Monitor already exists" {
			t.Errorf("a second monitor: %v", err)
		}
	})

	t.Run("leave and force-leave", func(t *testing.T) {
		if err := gone.dial(t, "").Leave(); err != nil {
			t.Fatal(err)
		}
		receive(t, "the call of Leave", gone.Left)
		gone.Stop()
		a.wait(t, func(v cluster.View) bool { m, _ := v.Member("gone"); return m.Status == cluster.Failed })
		if err := ca.ForceLeave("gone"); err != nil {
			t.Fatal(err)
		}
		a.wait(t, func(v cluster.View) bool { m, _ := v.Member("gone"); return m.Status == cluster.Left })
		if err := ca.ForceLeavePrune("gone"); err != nil {
			t.Fatal(err)
		}
		a.wait(t, func(v cluster.View) bool { _, there := v.Member("gone"); return !there })
		if err := ca.ForceLeavePrune("b"); err == nil {
			t.Error("a member that is alive is pruned")
		}
	})
}

// TestStockClientStopsMonitor stops a monitor that has nothing to say: to stop
// one while records come is a race in Serf's client, which closes the channel
// that its reader sends to.
func TestStockClientStopsMonitor(t *testing.T) {
	c := serve(t, cluster.Config{Name: "quiet"}, rpc.ServerConfig{}).dial(t, "")
	monitor, err := c.Monitor("ERR", make(chan string, 64))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(monitor); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Monitor("warn", make(chan string, 64)); err != nil {
		t.Errorf("a monitor after one that was stopped: %v", err)
	}
}

// stockQuery asks through one client what the other answers.
func stockQuery(t *testing.T, asks, answers *client.RPCClient) {
	queries := make(chan map[string]any, 8)
	if _, err := answers.Stream("query:load", queries); err != nil {
		t.Fatal(err)
	}
	acks, responses := make(chan string, 8), make(chan client.NodeResponse, 8)
	began := time.Now()
	if err := asks.Query(&client.QueryParam{
		Name: "load", Payload: []byte("1m"), FilterTags: map[string]string{"role": "web"}, FilterNodes: []string{"a", "b"},
		RequestAck: true, Timeout: 5 * time.Minute, AckCh: acks, RespCh: responses,
	}); err != nil {
		t.Fatal(err)
	}
	q := receive(t, "the query", queries)
	want := map[string]any{"Event": "query", "Name": "load", "Payload": []byte("1m"), "LTime": q["LTime"], "ID": int64(1)}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if ack := receive(t, "the ack", acks); ack != "b" {
		t.Errorf("an ack from %s", ack)
	}
	if err := answers.Respond(7, nil); err == nil || err.Error() != "No pending queries matching ID" {
		t.Errorf("an answer to no query: %v", err)
	}
	if err := answers.Respond(1, []byte("0.5")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(client.NodeResponse{From: "b", Payload: []byte("0.5")}, receive(t, "the answer", responses)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	select { // all have answered: it is done long before its time
	case _, more := <-responses:
		if more {
			t.Error("another answer")
		}
	case <-time.After(time.Minute):
		t.Errorf("a query that all have answered goes on after %v", time.Since(began))
	}
	if err := answers.Respond(1, []byte("0.6")); err == nil {
		t.Error("a query is answered twice")
	}
	if err := asks.Query(&client.QueryParam{Name: "load", Payload: make([]byte, 2000)}); err == nil {
		t.Error("a query of 2,000 bytes is asked")
	}
}

// Keys go round by Serf's own client.
func TestStockClientKeys(t *testing.T) {
	const first, second = "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=", "T9jncgl9mbLus+baTTa7q7nPSUrXwbDi2dhbtqir37s="
	a := serve(t, cluster.Config{Name: "a", EncryptKey: first}, rpc.ServerConfig{})
	b := serve(t, cluster.Config{Name: "b", EncryptKey: first, Join: []string{a.seed()}}, rpc.ServerConfig{})
	for _, s := range []*served{a, b} {
		s.wait(t, func(v cluster.View) bool { return len(v.Members) == 2 && v.Settled })
	}
	c := a.dial(t, "")
	// A busy machine answers later than Serf's query lasts: ask again.
	ask := func(what string, do func() error) {
		t.Helper()
		eventually(t, what, func() bool {
			err := do()
			if err != nil {
				t.Logf("%s: %v", what, err)
			}
			return err == nil
		})
	}
	told := func(change func(string) (map[string]string, error), key string) func() error {
		return func() error { _, err := change(key); return err }
	}
	listed := func(want map[string]int) func() error {
		return func() error {
			keys, nodes, _, err := c.ListKeys()
			if diff := cmp.Diff(want, keys); diff != "" || nodes != 2 {
				return fmt.Errorf("%d nodes, %v, keys (-want +got):\n%s", nodes, err, diff)
			}
			return err
		}
	}
	ask("install", told(c.InstallKey, second))
	ask("list both", listed(map[string]int{first: 2, second: 2}))
	ask("use", told(c.UseKey, second))
	ask("remove the key in use", func() error {
		messages, err := c.RemoveKey(second)
		if err == nil {
			t.Fatal("the key in use is removed")
		}
		if !slices.Equal(slices.Sorted(maps.Keys(messages)), []string{"a", "b"}) {
			return fmt.Errorf("%v, %w", messages, err)
		}
		return nil
	})
	ask("remove", told(c.RemoveKey, first))
	ask("list", listed(map[string]int{second: 2}))
}

func TestStockClientKnowsTheKey(t *testing.T) {
	s := serve(t, cluster.Config{Name: "a"}, rpc.ServerConfig{AuthKey: "secret", AuthDelay: time.Millisecond})
	if got, err := s.dial(t, "secret").Members(); err != nil || names(got) != "a:alive" {
		t.Errorf("%s, %v", names(got), err)
	}
	if _, err := client.ClientFromConfig(&client.Config{Addr: s.Addr, AuthKey: "Secret"}); err == nil || err.Error() != "Invalid authentication token" {
		t.Errorf("a wrong key: %v", err)
	}
	c := s.dial(t, "")
	for what, call := range map[string]func() error{
		"members": func() error { _, err := c.Members(); return err },
		"stream":  func() error { _, err := c.Stream("*", make(chan map[string]any, 1)); return err },
		"leave":   c.Leave,
		"tags":    func() error { return c.UpdateTags(map[string]string{"x": "y"}, nil) },
	} {
		if err := call(); err == nil || err.Error() != "Authentication required" {
			t.Errorf("%s without a key: %v", what, err)
		}
	}
	if strings.Contains(s.Book.String(), "ecret") {
		t.Error("the log holds the key")
	}
}
