package cluster_test

import (
	"bytes"
	"compress/lzw"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// target starts a lone node and waits until it listens.
func target(t *testing.T, c cluster.Config) *node {
	t.Helper()
	c.Name, c.Bind = "target", loopback()
	n := start(t, c)
	n.waitFor("target:alive")
	return n
}

// honest is a node that nothing is wrong with, at an address that refuses
// connections.
func honest(name string) clustertest.Alive {
	ip := netip.MustParseAddr(loopback())
	return clustertest.Alive{
		Incarnation: 1, Node: name, Addr: ip.AsSlice(), Port: 7946, Meta: clustertest.Meta(map[string]string{"role": "web"}),
	}
}

// hostile lists nodes that must be kept out, by the reason.
func hostile() map[string][]clustertest.Alive {
	with := func(change func(*clustertest.Alive)) clustertest.Alive {
		a := honest("evil")
		change(&a)
		return a
	}
	out := map[string][]clustertest.Alive{}
	for _, name := range []string{
		"", "x;}", "x\ny", "../x", strings.Repeat("n", 300), ".hidden", "-rf", "a b", "ä", "x\x00", "{{x}}", "a/b", "a:b",
	} {
		out[cluster.RefusedName] = append(out[cluster.RefusedName], with(func(a *clustertest.Alive) { a.Node = name }))
	}
	for _, addr := range [][]byte{nil, {1, 2, 3}, {0, 0, 0, 0}, {224, 0, 0, 1}, {255, 255, 255, 255}, make([]byte, 16), make([]byte, 5)} {
		out[cluster.RefusedAddress] = append(out[cluster.RefusedAddress], with(func(a *clustertest.Alive) { a.Addr = addr }))
	}
	out[cluster.RefusedAddress] = append(out[cluster.RefusedAddress], with(func(a *clustertest.Alive) { a.Port = 0 }))
	for _, meta := range [][]byte{
		clustertest.Meta(map[string]string{"big": strings.Repeat("x", 20_000)}),
		{255, 0xff, 0xff}, {255}, {255, 0x81, 0xa1}, {255, 0xdf, 0xff, 0xff, 0xff, 0xff},
		append([]byte{255}, bytes.Repeat([]byte{0x91}, 500)...),
		bytes.Repeat([]byte{'r'}, 513),
	} {
		out[cluster.RefusedTags] = append(out[cluster.RefusedTags], with(func(a *clustertest.Alive) { a.Meta = meta }))
	}
	for _, vsn := range [][]byte{{1, 5, 2, 9, 9, 9}, {3, 5, 3, 2, 5, 5}, {1, 1, 1, 2, 5, 5}, {1, 5, 2, 5, 2, 4}} {
		out[cluster.RefusedVersion] = append(out[cluster.RefusedVersion], with(func(a *clustertest.Alive) { a.Vsn = vsn }))
	}
	return out
}

// counts returns how many nodes of each reason there are.
func counts(m map[string][]clustertest.Alive) map[string]uint64 {
	out := map[string]uint64{}
	for reason, nodes := range m {
		out[reason] = uint64(len(nodes))
	}
	return out
}

func TestHostilePackets(t *testing.T) {
	n := target(t, cluster.Config{})
	evil := hostile()
	for _, nodes := range evil {
		for i, a := range nodes {
			packet := a.Packet()
			if i%2 == 1 {
				packet = clustertest.Compound(packet)
			}
			if err := clustertest.Send(n.Info().Bind, packet); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := honest("good").Packet()
	if err := clustertest.Send(n.Info().Bind, good); err != nil {
		t.Fatal(err)
	}
	n.wait("good is seen", func(v cluster.View) bool { _, ok := v.Member("good"); return ok })
	eventually(t, "all are refused", func() bool { return cmp.Equal(counts(evil), n.Info().Refused) })
	if got := len(n.View().Members); got != 2 {
		t.Errorf("the view has %d members: %s", got, describe(n.View()))
	}
}

// An exchange of state with hostile nodes in it still brings the honest ones.
func TestHostileState(t *testing.T) {
	n := target(t, cluster.Config{})
	evil := hostile()
	// These make memberlist refuse the exchange before it asks about nodes.
	delete(evil, cluster.RefusedVersion)
	var state clustertest.State
	state.Status = map[string]uint64{"good-1": 1, "x\nalive: forged 1.2.3.4:5": 2, "clock": 1 << 60}
	state.Left = []string{"y\nleave"}
	state.Nodes = append(state.Nodes, honest("good-1"))
	for _, nodes := range evil {
		state.Nodes = append(state.Nodes, nodes...)
	}
	state.Nodes = append(state.Nodes, honest("good-2"))
	if _, err := clustertest.Exchange(n.Info().Bind, state); err != nil {
		t.Fatal(err)
	}
	v := n.wait("two good ones", func(v cluster.View) bool { return len(v.Members) == 3 })
	if got, want := describe(v), "good-1:alive good-2:alive target:alive"; got != want {
		t.Errorf("view %s, want %s", got, want)
	}
	want := counts(evil)
	want[cluster.RefusedName] += 2
	want[cluster.RefusedClock]++
	eventually(t, "all are refused", func() bool { return cmp.Equal(want, n.Info().Refused) })
}

func TestOversizeMessages(t *testing.T) {
	n := target(t, cluster.Config{StreamTimeout: 20 * time.Second}) // to read 15 MB in
	events := n.Subscribe(16)
	defer events.Close()
	big := bytes.Repeat([]byte("x"), 20_000)
	huge := bytes.Repeat([]byte("x"), 15<<20)
	to := n.Info().Bind
	if err := clustertest.Send(to, clustertest.UserEvent("big", big, 2), clustertest.UserEvent("small", []byte("ok"), 3),
		clustertest.User([]byte{200, 1}), clustertest.User([]byte{3, 0xc1}), clustertest.UserEvent("late", nil, 1<<63),
		clustertest.User([]byte{2, 0x80})); err != nil {
		t.Fatal(err)
	}
	hear(t, events, "small")
	state := clustertest.State{Events: []clustertest.PastEvent{
		{Name: "big-2", Payload: big, LTime: 5}, {Name: "small-2", LTime: 6}, {Name: "far", LTime: 1 << 60},
	}}
	if _, err := clustertest.Exchange(to, state); err != nil {
		t.Fatal(err)
	}
	hear(t, events, "small-2")
	state.Events = append(state.Events, clustertest.PastEvent{Name: "huge", Payload: huge, LTime: 7})
	if _, err := clustertest.Exchange(to, state); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{cluster.RefusedSize: 3, cluster.RefusedMessage: 3, cluster.RefusedClock: 2}
	eventually(t, "all are refused", func() bool { return cmp.Equal(want, n.Info().Refused) })
	if len(events.C) > 0 {
		t.Errorf("also heard %+v", <-events.C)
	}
}

// hear waits for the next user event and checks its name.
func hear(t *testing.T, s *cluster.Subscription, name string) cluster.Event {
	t.Helper()
	for {
		select {
		case e := <-s.C:
			if e.Type != cluster.EventUser {
				continue
			}
			if e.Name != name {
				t.Fatalf("heard %q, want %q", e.Name, name)
			}
			return e
		case <-time.After(time.Minute):
			t.Fatalf("never heard %q", name)
		}
	}
}

// What is refused is logged once per sender, each on one line, whatever the
// name holds.
func TestRefusalsAreLoggedOnce(t *testing.T) {
	n := target(t, cluster.Config{})
	evil := honest("x\nlevel=ERROR msg=forged")
	for range 20 {
		if err := clustertest.Send(n.Info().Bind, evil.Packet()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are refused", func() bool { return n.Info().Refused[cluster.RefusedName] == 20 })
	if got := n.log.count("msg=refused"); got != 1 {
		t.Errorf("%d lines about it:\n%s", got, n.log)
	}
	for line := range strings.Lines(n.log.String()) {
		if strings.HasPrefix(line, "level=ERROR") || !strings.HasPrefix(line, "time=") {
			t.Errorf("forged line %q", line)
		}
	}
}

// A name that is claimed from ever new addresses does not fill the log.
func TestConflictsAreLoggedWithinBounds(t *testing.T) {
	n := target(t, cluster.Config{})
	victim := honest("victim")
	var state clustertest.State
	state.Nodes = append(state.Nodes, victim)
	if _, err := clustertest.Exchange(n.Info().Bind, state); err != nil {
		t.Fatal(err)
	}
	n.wait("the victim", func(v cluster.View) bool { return len(v.Members) == 2 })
	conflicts := func() (count uint64) {
		for _, c := range n.Info().Conflicts {
			count += c.Count
		}
		return count
	}
	for i := range 60 {
		victim.Port = uint16(10000 + i)
		if err := clustertest.Send(n.Info().Bind, victim.Packet()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are noticed", func() bool { return conflicts() > 30 })
	if got := n.log.count("two nodes claim one name"); got == 0 || got > 20 {
		t.Errorf("%d lines about it", got)
	}
}

func TestMaxMembers(t *testing.T) {
	n := target(t, cluster.Config{MaxMembers: 5})
	var state clustertest.State
	for i := range 20 {
		state.Nodes = append(state.Nodes, honest(fmt.Sprintf("n%02d", i)))
	}
	if _, err := clustertest.Exchange(n.Info().Bind, state); err != nil {
		t.Fatal(err)
	}
	n.wait("five members", func(v cluster.View) bool { return len(v.Members) == 5 })
	eventually(t, "sixteen are refused", func() bool { return n.Info().Refused[cluster.RefusedTooMany] == 16 })
}

// Packets that memberlist would inflate to gigabytes cost next to nothing: the
// node answers probes meanwhile.
func TestInflatingPackets(t *testing.T) {
	n := target(t, cluster.Config{})
	var buf bytes.Buffer
	w := lzw.NewWriter(&buf, lzw.LSB, 8)
	if _, err := w.Write(bytes.Repeat([]byte{4}, 39<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := clustertest.Compressed(buf.Bytes())
	stop := make(chan struct{})
	var sender sync.WaitGroup
	defer sender.Wait()
	defer close(stop)
	sender.Go(func() { // more than could be inflated meanwhile
		for tick := time.Tick(50 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick:
				if err := clustertest.Send(n.Info().Bind, bomb); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	eventually(t, "refused", func() bool { return n.Info().Refused[cluster.RefusedMessage] > 0 })
	var p cluster.Probe
	for range 10 { // a busy machine may answer late
		if p = probe(t, cluster.Config{Name: "prober"}, n.Info().Bind); p.UDP.Way == cluster.Open {
			return
		}
	}
	t.Errorf("meanwhile it answers so: %+v", p)
}
