package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
)

// attach follows an agent with the timing of tests, until the test ends.
func attach(t *testing.T, c AttachConfig) (*Attached, *logbook) {
	t.Helper()
	log := &logbook{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	c.Look, c.Backoff, c.BackoffMax = 100*time.Millisecond, 50*time.Millisecond, 200*time.Millisecond
	if c.Quiet == 0 {
		c.Quiet = 200 * time.Millisecond
	}
	a, err := Attach(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	return a, log
}

// wait waits until the view is settled and as described.
func (a *Attached) wait(t *testing.T, want string) cluster.View {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		if v := a.View(); v.Settled && shown(v.Members) == want {
			return v
		}
		select {
		case <-a.Changed():
		case <-deadline:
			v := a.View()
			t.Fatalf("it has not come to: %s; the view is %s, settled %v", want, shown(v.Members), v.Settled)
		}
	}
}

// hears waits for a user event.
func hears(t *testing.T, s *cluster.Subscription, name string) cluster.Event {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case e := <-s.C:
			if e.Name == name {
				return e
			}
		case <-deadline:
			t.Fatalf("%q was not heard", name)
		}
	}
}

// never fails the test if somebody is missing from the view while it lasts.
func (a *Attached) never(t *testing.T, missing ...string) (stop func()) {
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			for _, name := range missing {
				if m, ok := a.View().Member(name); !ok || m.Status != cluster.Alive {
					t.Errorf("%s is missing from the view: %s", name, shown(a.View().Members))
					return
				}
			}
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return func() { close(done); work.Wait() }
}

// Everything at once with Serf's own agents: the view, events both ways,
// queries, tags; and the agent is killed and started again.
func TestAttachFollowsStock(t *testing.T) {
	one := startStock(t, "a", "-tag", "role=lb", "-tag", "gone=1")
	two := startStock(t, "b", "-join="+one.bind)
	startStock(t, "c", "-join="+one.bind)
	a, _ := attach(t, AttachConfig{Addr: one.rpc})
	sub := a.Subscribe(4096)
	defer sub.Close()
	v := a.wait(t, "a b c")
	if v.Self != "a" || v.Epoch != 1 || v.SelfMember().Tags["role"] != "lb" {
		t.Errorf("view of %q, epoch %d, tags %v", v.Self, v.Epoch, v.SelfMember().Tags)
	}
	if i := a.Info(); i.Name != "a" || i.Advertise != one.bind || i.Encrypted || i.Problem != "" || i.Epoch != 1 {
		t.Errorf("Info = %+v", i)
	}
	talk := func(word string) {
		t.Helper()
		if err := a.Send(t.Context(), word, []byte("out"), false); err != nil {
			t.Fatal(err)
		}
		if e := hears(t, sub, word); string(e.Payload) != "out" {
			t.Errorf("heard %+v", e)
		}
		other := dial(t, two.rpc, Options{})
		answers, err := other.Query(t.Context(), cluster.Query{Name: word + "?", Nodes: []string{"a"}, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer answers.Close()
		if err := hears(t, sub, word+"?").Respond([]byte("yes")); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.Next(t.Context()); err != nil || got.From != "a" || string(got.Payload) != "yes" {
			t.Errorf("answer %+v, %v", got, err)
		}
	}
	talk("hello")
	err := a.SetTags(t.Context(), func(tags map[string]string) {
		tags["role"] = "web"
		delete(tags, "gone")
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tags are in the view", func() bool {
		tags := a.View().SelfMember().Tags
		return len(tags) == 1 && tags["role"] == "web"
	})
	err = a.SetTags(t.Context(), func(tags map[string]string) { tags["x"] = strings.Repeat("y", 600) })
	if err == nil || !strings.Contains(err.Error(), "bytes of 512") {
		t.Errorf("too many tags: %v", err)
	}

	stop := a.never(t, "a", "b", "c")
	for range 3 {
		one.kill()
		eventually(t, "the loss is noticed", func() bool { return a.Info().Problem != "" })
		if v := a.View(); !v.Settled || shown(v.Members) != "a b c" {
			t.Errorf("without a connection the view is %s, settled %v", shown(v.Members), v.Settled)
		}
		if err := a.Send(t.Context(), "lost", nil, false); err == nil || !strings.Contains(err.Error(), one.rpc) {
			t.Errorf("sending without a connection: %v", err)
		}
		epoch := a.View().Epoch
		one.start() // knows nobody
		eventually(t, "there is a new connection", func() bool { return a.View().Epoch > epoch })
		if v := a.View(); v.Settled {
			t.Errorf("settled with %s, although the agent lists only itself", shown(v.Members))
		}
		c := dial(t, one.rpc, Options{})
		if _, err := c.Join(t.Context(), []string{two.bind}, false); err != nil {
			t.Fatal(err)
		}
		a.wait(t, "a b c")
		talk(fmt.Sprintf("again%d", epoch))
	}
	stop()
	if sub.Lost() != 0 {
		t.Errorf("%d events lost", sub.Lost())
	}

	// One who fails is known by an event, long before a look would tell.
	two.kill()
	a.wait(t, "a b:failed c")
}

// An agent that hangs is noticed, and followed again when it goes on.
func TestAttachHangingAgent(t *testing.T) {
	one := startStock(t, "a")
	two := startStock(t, "b", "-join="+one.bind)
	a, log := attach(t, AttachConfig{Addr: one.rpc, Timeout: 3 * time.Second})
	a.wait(t, "a b")
	one.signal(syscall.SIGSTOP)
	eventually(t, "the hang is noticed", func() bool { return strings.Contains(a.Info().Problem, "has not answered within 3s") })
	if err := a.Send(t.Context(), "x", nil, false); err == nil {
		t.Error("an event was sent through an agent that hangs")
	}
	if v := a.View(); shown(v.Members) != "a b" || !v.Settled {
		t.Errorf("the view is %s, settled %v", shown(v.Members), v.Settled)
	}
	one.signal(syscall.SIGCONT)
	eventually(t, "it is followed again", func() bool { return a.View().Epoch > 1 && a.Info().Problem == "" && a.View().Settled })
	sub := a.Subscribe(16)
	defer sub.Close()
	c := dial(t, two.rpc, Options{})
	eventually(t, "b knows a again", func() bool {
		ms, err := c.Members(t.Context(), Filter{})
		return err == nil && listed(ms) == "a:alive b:alive"
	})
	if err := c.Event(t.Context(), "back", nil, false); err != nil {
		t.Fatal(err)
	}
	hears(t, sub, "back")
	if n := strings.Count(log.String(), "not following"); n > 3 {
		t.Errorf("%d lines about it", n)
	}
}

// An agent of ours is followed like Serf's own; what it hears comes without
// Serf's delay, and its restart takes nobody from the view.
func TestAttachFollowsOurs(t *testing.T) {
	addr := filepath.Join(t.TempDir(), "rpc.sock") // the same after a restart
	start := func(c cluster.Config) agent {
		c.Name = "a"
		return startOursAt(t, addr, "sesame", c)
	}
	one := start(cluster.Config{})
	two := startOurs(t, "", cluster.Config{Name: "b", Join: []string{one.bind}})
	a, _ := attach(t, AttachConfig{Addr: addr, AuthKey: "sesame"})
	sub := a.Subscribe(1024)
	defer sub.Close()
	a.wait(t, "a b")
	stop := a.never(t, "a", "b")
	for i := range 3 {
		epoch := a.View().Epoch
		one.kill()
		one = start(cluster.Config{Bind: one.bind, Join: []string{two.bind}})
		eventually(t, "there is a new connection", func() bool { return a.View().Epoch > epoch })
		a.wait(t, "a b")
		word := fmt.Sprintf("word%d", i)
		if err := dial(t, two.rpc, Options{}).Event(t.Context(), word, nil, false); err != nil {
			t.Fatal(err)
		}
		hears(t, sub, word)
	}
	stop()
	if err := a.SetTags(t.Context(), func(tags map[string]string) { tags["x"] = "y" }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tag is in the view", func() bool { return a.View().SelfMember().Tags["x"] == "y" })
}

// A following may end at any moment, and so may its connections.
func TestAttachEndsDuringEvents(t *testing.T) {
	f := startFollowed(t, wireMembers(3))
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case f.events <- userEventRecord{Event: "user", Name: "tick", LTime: uint64(i)}:
			case <-done:
				return
			}
			if i%500 == 0 {
				f.drop()
			}
		}
	})
	for i := range 200 {
		a, err := Attach(AttachConfig{Addr: f.addr, Backoff: time.Millisecond, Look: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		sub := a.Subscribe(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*time.Millisecond)
		if err := a.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		cancel()
		sub.Close()
	}
	close(done)
	work.Wait()
}

// A following is one of a fake agent whose list a test changes.
type following struct {
	*fake
	list   atomic.Pointer[[]wireMember]
	lists  atomic.Int64 // asked for so far
	events chan any     // records to stream
}

func startFollowed(t *testing.T, list []wireMember) *following {
	f := &following{events: make(chan any)}
	f.list.Store(&list)
	f.fake = startFake(t, func(p *peer, command string, seq uint64) {
		switch command {
		case cmdStream:
			p.body(&streamRequest{})
			_ = p.send(seq, "")
			p.work.Go(func() {
				for {
					select {
					case e := <-f.events:
						_ = p.send(seq, "", e)
					case <-p.ctx.Done():
						return
					}
				}
			})
		case cmdMembers:
			f.lists.Add(1)
			_ = p.send(seq, "", membersResponse{Members: *f.list.Load()})
		case cmdStats:
			_ = p.send(seq, "", figures("n000"))
		}
	})
	return f
}

// An agent that lists only itself for a while after its restart takes nobody
// from the view.
func TestAttachListOfOne(t *testing.T) {
	all := wireMembers(3)
	f := startFollowed(t, all)
	a, _ := attach(t, AttachConfig{Addr: f.addr, Hold: time.Hour})
	a.wait(t, "n000 n001 n002")
	stop := a.never(t, "n000", "n001", "n002")
	alone := all[:1]
	f.list.Store(&alone)
	f.drop()
	eventually(t, "there is a new connection", func() bool { return a.View().Epoch > 1 })
	lists := f.lists.Load()
	eventually(t, "it has looked often", func() bool { return f.lists.Load() > lists+20 })
	if v := a.View(); v.Settled || !strings.Contains(a.Info().Problem, "lists nobody else alive; whom it listed before (2) is kept") {
		t.Errorf("settled %v, problem %q", v.Settled, a.Info().Problem)
	}
	if !a.Info().Encrypted {
		t.Error("the agent says that it encrypts")
	}
	f.list.Store(&all)
	a.wait(t, "n000 n001 n002")
	stop()
	if p := a.Info().Problem; p != "" {
		t.Errorf("problem %q", p)
	}
}

// One who stays away goes when Hold is over.
func TestAttachAbsence(t *testing.T) {
	all := wireMembers(3)
	f := startFollowed(t, all)
	a, _ := attach(t, AttachConfig{Addr: f.addr, Hold: 500 * time.Millisecond})
	a.wait(t, "n000 n001 n002")
	two := all[:2]
	f.list.Store(&two)
	a.wait(t, "n000 n001")
}

// A storm of events costs few lists; user events all arrive, each once.
func TestAttachStorm(t *testing.T) {
	const storm = 10_000
	all := wireMembers(3)
	f := startFollowed(t, all)
	a, _ := attach(t, AttachConfig{Addr: f.addr})
	sub := a.Subscribe(2 * storm)
	defer sub.Close()
	a.wait(t, "n000 n001 n002")
	began, lists := time.Now(), f.lists.Load()
	for i := range storm {
		f.events <- memberEventRecord{Event: "member-update", Members: all[1:2]}
		if i%2 == 0 {
			f.events <- userEventRecord{Event: "user", Name: "tick", LTime: uint64(i / 2), Payload: []byte{byte(i)}}
		}
		if i%1000 == 0 { // heard a second time, as after a restart
			f.events <- userEventRecord{Event: "user", Name: "tick", LTime: uint64(i / 2), Payload: []byte{byte(i)}}
		}
	}
	users, updates := 0, 0
	for users < storm/2 || updates < storm {
		select {
		case e := <-sub.C:
			if e.Type == cluster.EventUser {
				if e.LTime != uint64(users) {
					t.Fatalf("user event %d is %+v", users, e)
				}
				users++
			} else {
				updates++
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d user events and %d others heard", users, updates)
		}
	}
	if n, most := f.lists.Load()-lists, int64(time.Since(began)/minGap)+5; n > most {
		t.Errorf("%d lists in a storm, more than %d", n, most)
	}
}

// What no member may say does not come through another's agent either.
func TestAttachRefuses(t *testing.T) {
	all := wireMembers(4)
	all[1].Name = "evil\nserver 192.0.2.1"
	all[2].Addr = []byte{1, 2, 3}
	all[3].Tags = map[string]string{"x": strings.Repeat("y", 600)}
	f := startFollowed(t, append(all, wireMembers(6)[4:]...))
	a, log := attach(t, AttachConfig{Addr: f.addr})
	sub := a.Subscribe(64)
	defer sub.Close()
	a.wait(t, "n000 n004 n005")
	for _, e := range []any{
		userEventRecord{Event: "user", Name: "long", Payload: make([]byte, 20_000)},
		userEventRecord{Event: "user", Name: "clock", LTime: 1 << 60},
		memberEventRecord{Event: "member-join", Members: all[1:2]},
		memberEventRecord{Event: "member-dance", Members: all[:1]},
		memberEventRecord{Event: "member-join", Members: all[:2]},
		userEventRecord{Event: "user", Name: "good", LTime: 1},
	} {
		f.events <- e
	}
	e := <-sub.C
	if e.Type != "member-join" || shown(e.Members) != "n000" {
		t.Errorf("heard %+v", e)
	}
	if e = <-sub.C; e.Name != "good" {
		t.Errorf("heard %+v", e)
	}
	for _, why := range []string{cluster.RefusedName, cluster.RefusedAddress, cluster.RefusedTags, cluster.RefusedSize, cluster.RefusedClock, cluster.RefusedMessage} {
		if a.Info().Refused[why] == 0 {
			t.Errorf("nothing was refused because of its %s: %v", why, a.Info().Refused)
		}
	}
	if n := strings.Count(log.String(), "refused members"); n != 1 || !strings.Contains(log.String(), "count=3") {
		t.Errorf("%d lines about it:\n%s", n, log)
	}
}

// Servers that are broken are tried again, in bounded time and with few words.
func TestAttachBrokenAgents(t *testing.T) {
	for name, do := range map[string]func(p *peer, command string, seq uint64){
		"closes":       func(p *peer, command string, seq uint64) { p.conn.Close() },
		"no name":      func(p *peer, command string, seq uint64) { skipBody(p, command); _ = p.send(seq, "", map[string]any{}) },
		"rubbish":      func(p *peer, command string, seq uint64) { _, _ = io.WriteString(p.conn, "\xc1\xc1\xc1") },
		"only refuses": func(p *peer, command string, seq uint64) { skipBody(p, command); _ = p.send(seq, "no\nway") },
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, do)
			a, log := attach(t, AttachConfig{Addr: f.addr, Timeout: time.Second})
			eventually(t, "it was tried again", func() bool { return f.conns.Load() > 3 })
			if v := a.View(); v.Settled || len(v.Members) > 0 {
				t.Errorf("view %+v", v)
			}
			if p := a.Info().Problem; p == "" || strings.Contains(p, "\n") {
				t.Errorf("problem %q", p)
			}
			if err := a.Send(t.Context(), "x", nil, false); err == nil {
				t.Error("an event was sent")
			}
			if n := strings.Count(log.String(), "not following"); n < 1 || n > 4 {
				t.Errorf("%d lines about it", n)
			}
		})
	}
}

func skipBody(p *peer, command string) {
	if command == cmdStream {
		p.body(&streamRequest{})
	}
}

// Without an agent Run goes on until it is told to end.
func TestAttachNobodyThere(t *testing.T) {
	a, _ := attach(t, AttachConfig{Addr: "/nonexistent/rpc.sock"})
	eventually(t, "the problem is told", func() bool {
		return strings.Contains(a.Info().Problem, "no such file or directory; is one running? attach says where")
	})
	if err := a.SetTags(t.Context(), func(map[string]string) {}); err == nil {
		t.Error("tags were set")
	}
	if _, err := a.Query(t.Context(), cluster.Query{Name: "q"}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Query: %v", err)
	}
	if _, err := Attach(AttachConfig{Addr: "nowhere"}); err == nil {
		t.Error("an address without a port was taken")
	}
}

// One look gives the whole view quickly, or says why there is none.
func TestLook(t *testing.T) {
	one := startStock(t, "a")
	startStock(t, "b", "-join="+one.bind)
	c := AttachConfig{Addr: one.rpc, Quiet: 200 * time.Millisecond}
	eventually(t, "both are there", func() bool {
		v, err := Look(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return v.Settled && v.Self == "a" && shown(v.Members) == "a b"
	})

	alone := startFollowed(t, wireMembers(1))
	c.Addr, c.Hold = alone.addr, 300*time.Millisecond
	if v, err := Look(t.Context(), c); err != nil || shown(v.Members) != "n000" || !v.Settled {
		t.Errorf("the view of an agent alone: %s, %v", shown(v.Members), err)
	}
	c.Hold = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := Look(ctx, c)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "lists nobody else alive") {
		t.Errorf("an agent alone, no time: %v", err)
	}
	c.Addr = "/nonexistent/rpc.sock"
	if _, err := Look(t.Context(), c); err == nil || !strings.Contains(err.Error(), "is one running?") {
		t.Errorf("no agent: %v", err)
	}
}
