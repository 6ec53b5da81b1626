package cluster_test

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// lan gives c an address and the timing that it has on a real network.
func lan(c cluster.Config) cluster.Config {
	c.Bind, c.Profile = loopback(), "lan"
	c.ProbeInterval, c.ProbeTimeout = time.Second, 500*time.Millisecond
	c.GossipInterval, c.PushPullInterval = 200*time.Millisecond, 30*time.Second
	c.Backoff, c.RetryInterval = time.Second, 30*time.Second
	return c
}

// Fifty members, all there are besides this node, restart at new addresses at
// once. As nobody has seen the old ones fail, their names are taken at first.
func TestFiftyMembersMove(t *testing.T) {
	t.Run("away", func(t *testing.T) {
		testMove(t, func(ms []cluster.Member) {
			for i := range ms {
				addr := ms[i].Addr.As4()
				addr[1] += 50
				ms[i].Addr = netip.AddrFrom4(addr)
			}
		})
	})
	t.Run("around", func(t *testing.T) { // each is where another was
		testMove(t, func(ms []cluster.Member) {
			first := ms[0].Addr
			for i := range ms[1:] {
				ms[i].Addr = ms[i+1].Addr
			}
			ms[len(ms)-1].Addr = first
		})
	})
}

func testMove(t *testing.T, move func([]cluster.Member)) {
	t.Parallel()
	u := universe(t)
	members := clustertest.Members("web", 50, map[string]string{"v": "1"})
	if err := u.Set(members...); err != nil {
		t.Fatal(err)
	}
	n := start(t, lan(cluster.Config{Name: "n", Join: []string{u.Seed()}}))
	n.wait("all", func(v cluster.View) bool { return v.Settled && len(v.Members) == 51 })
	move(members)
	for i := range members {
		members[i].Tags = map[string]string{"v": "2"}
	}
	moved := func() (k int) {
		v := n.View()
		for _, m := range members {
			if now, _ := v.Member(m.Name); now.Addr == m.Addr && now.Status == cluster.Alive && now.Tags["v"] == "2" {
				k++
			}
		}
		return k
	}
	for range 60 {
		// Whoever is kept out comes back, again and again.
		if err := u.Set(members...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if moved() == 50 {
			break
		}
	}
	if k := moved(); k != 50 {
		t.Fatalf("%d of 50 have moved within a minute", k)
	}
	n.wait("settled", func(v cluster.View) bool { return v.Settled && len(v.Members) == 51 && v.Epoch == 1 })
}

// A node crashes and comes back under its name at another address before
// anybody has noticed. The others hold on to the old address and vote the
// newcomer out; then they find out, and it comes back, by itself.
func TestNodeMoves(t *testing.T) {
	t.Parallel()
	key := key(1, 32) // what is said of the old one is encrypted, too
	a := start(t, lan(cluster.Config{Name: "a", EncryptKey: key}))
	seeds := []string{a.Info().Bind}
	b := start(t, lan(cluster.Config{Name: "b", EncryptKey: key, Join: seeds}))
	old := start(t, lan(cluster.Config{Name: "roamer", EncryptKey: key, Join: seeds}))
	const all = "a:alive b:alive roamer:alive"
	for _, n := range []*node{a, b, old} {
		n.waitFor(all)
	}
	events := a.Subscribe(16)
	defer events.Close()
	old.kill()
	c := lan(cluster.Config{Name: "roamer", EncryptKey: key, Join: seeds})
	roamer := start(t, c)
	for _, n := range []*node{a, b, roamer} {
		n.wait("the roamer is there", func(v cluster.View) bool {
			m, _ := v.Member("roamer")
			return v.Settled && describe(v) == all && m.Addr.String() == c.Bind
		})
	}
	for _, want := range []string{cluster.EventFailed, cluster.EventJoin} {
		e := hearMember(t, events, "roamer")
		if e.Type != want {
			t.Errorf("%s is heard, want %s", e.Type, want)
		}
	}
	// It stays.
	time.Sleep(5 * time.Second)
	for _, n := range []*node{a, b, roamer} {
		n.waitFor(all)
	}
	if e := roamer.Info(); e.Problem != "" {
		t.Errorf("the roamer says %q", e.Problem)
	}
}

// The same among Serf's own agents, which hold on to the old address until it
// has failed and half a minute more.
func TestNodeMovesAmongSerf(t *testing.T) {
	serf, err := exec.LookPath("serf")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: it needs serf")
	}
	t.Parallel()
	addr := loopback()
	cmd := exec.Command(serf, "agent", "-node", "serf", "-bind", addr, "-rpc-addr", addr+":7373")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	old := start(t, lan(cluster.Config{Name: "roamer", Join: []string{addr}}))
	old.waitFor("roamer:alive serf:alive")
	old.kill()
	began := time.Now()
	c := lan(cluster.Config{Name: "roamer", Join: []string{addr}})
	roamer := start(t, c)
	for !strings.Contains(members(t, serf, addr), c.Bind+":7946  alive") {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("serf still has it elsewhere:\n%s", members(t, serf, addr))
		}
		time.Sleep(time.Second)
	}
	t.Logf("back after %v", time.Since(began).Round(time.Second))
	roamer.waitFor("roamer:alive serf:alive")
}

// members is what Serf's command prints.
func members(t *testing.T, serf, addr string) string {
	out, err := exec.Command(serf, "members", "-rpc-addr", addr+":7373").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// hearMember waits for an event about a member.
func hearMember(t *testing.T, s *cluster.Subscription, name string) cluster.Event {
	t.Helper()
	for {
		select {
		case e := <-s.C:
			if len(e.Members) == 1 && e.Members[0].Name == name {
				return e
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing is heard of %s", name)
		}
	}
}
