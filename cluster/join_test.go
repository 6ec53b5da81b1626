package cluster_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"muster/cluster"
	"muster/cluster/clustertest"
)

func TestJoinWaitsForTheSeed(t *testing.T) {
	seedIP := loopback()
	b := start(t, cluster.Config{Name: "b", Bind: loopback(), Join: []string{seedIP}})
	b.wait("a view", func(v cluster.View) bool { return v.Epoch == 1 })
	eventually(t, "a failed join", func() bool { return b.Info().JoinError != "" })
	if v := b.View(); v.Settled || !v.Alone() || v.Self != "b" {
		t.Errorf("view without a seed: %+v", v)
	}
	a := start(t, cluster.Config{Name: "a", Bind: seedIP})
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
	if i := b.Info(); i.Joined == 0 || i.JoinError != "" {
		t.Errorf("info after the join: %+v", i)
	}
}

// A seed whose host swallows packets takes its time alone.
func TestDeadSeedFirst(t *testing.T) {
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	c := cluster.Config{Name: "b", Bind: loopback(), Join: []string{blackHole(t), a.Info().Bind}}
	b := start(t, c)
	b.waitFor("a:alive b:alive")
}

// blackHole returns an address that never answers a connection.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	addr := &unix.SockaddrInet4{Port: 7946, Addr: netip.MustParseAddr(loopback()).As4()}
	if err := unix.Bind(fd, addr); err != nil {
		t.Fatal(err)
	}
	// The queue of connections that nobody accepts is full with one.
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	hole := netip.AddrPortFrom(netip.AddrFrom4(addr.Addr), 7946).String()
	for {
		conn, err := net.DialTimeout("tcp", hole, 100*time.Millisecond)
		if err != nil {
			return hole
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// Two that join a third each, while they cannot reach one another, are one
// cluster as soon as they can: a seed that is no member is tried on.
func TestTwoPartsBecomeOne(t *testing.T) {
	seedIP, otherIP := loopback(), loopback()
	other := start(t, cluster.Config{Name: "other", Bind: otherIP, Join: []string{seedIP}})
	eventually(t, "a failed join", func() bool { return other.Info().JoinError != "" })
	friend := start(t, cluster.Config{Name: "friend", Bind: loopback(), Join: []string{otherIP}})
	other.waitFor("friend:alive other:alive")
	seed := start(t, cluster.Config{Name: "seed", Bind: seedIP})
	for _, n := range []*node{seed, other, friend} {
		n.waitFor("friend:alive other:alive seed:alive")
	}
	if !other.log.has("joined a part of the cluster that was apart") {
		t.Errorf("the log does not tell:\n%s", other.log)
	}
}

// A list of seeds that every node has contains the node itself.
func TestOwnAddressIsNoSeed(t *testing.T) {
	ip := loopback()
	n := start(t, cluster.Config{Name: "n", Bind: ip, Join: []string{ip, ip + ":7946", "n/" + ip}})
	n.waitFor("n:alive")
}

// So may be a name of its host, with addresses that are not even bound.
func TestOwnNameIsNoSeed(t *testing.T) {
	port := strconv.Itoa(17000 + os.Getpid()%1000) // none of those that connections get
	n := start(t, cluster.Config{Name: "n", Bind: "127.0.0.1:" + port, Join: []string{"localhost:" + port}})
	n.waitFor("n:alive")
	if i := n.Info(); i.Joined != 0 {
		t.Errorf("info %+v", i)
	}
}

// The seed of a cluster restarts without knowing anybody: what it hears of
// its peers one by one is never taken for the whole.
func TestSeedRestarts(t *testing.T) {
	t.Parallel()
	seedIP := loopback()
	seed := cluster.Config{Name: "a", Bind: seedIP}
	a := start(t, seed)
	a.waitFor("a:alive")
	var peers []*node
	for _, name := range []string{"b", "c", "d"} {
		peers = append(peers, start(t, cluster.Config{Name: name, Bind: loopback(), Join: []string{seedIP}}))
	}
	const all = "a:alive b:alive c:alive d:alive"
	for _, n := range append(peers, a) {
		n.waitFor(all)
	}
	a.kill()
	a = start(t, seed)
	a.wait("everybody", func(v cluster.View) bool {
		if v.Settled && !v.Alone() && len(v.Members) < 4 {
			t.Errorf("settled with %s", describe(v))
		}
		return v.Settled && describe(v) == all
	})
}

// An isolation ends member by member; not before all are heard of is the
// list settled again.
func TestIsolationEnds(t *testing.T) {
	u := universe(t)
	members := clustertest.Members("web", 20, nil)
	if err := u.Set(members...); err != nil {
		t.Fatal(err)
	}
	n := start(t, cluster.Config{
		Name: "n", Bind: loopback(), Join: []string{u.Seed()},
		ProbeInterval: 2 * time.Second, ProbeTimeout: time.Second, // no false failures
		Quiet: 2 * time.Second, Settle: 20 * time.Second, // nor is it quiet while they come
	})
	alive := func(v cluster.View) (k int) {
		for _, m := range v.Members {
			if m.Status == cluster.Alive {
				k++
			}
		}
		return k
	}
	n.wait("all", func(v cluster.View) bool { return v.Settled && alive(v) == 21 })
	for i := range members {
		members[i].Status = cluster.Failed
	}
	if err := u.Set(members...); err != nil {
		t.Fatal(err)
	}
	n.wait("alone", func(v cluster.View) bool {
		if !v.Settled {
			t.Error("isolation unsettles")
		}
		return v.Alone()
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range members {
			members[i].Status = cluster.Alive
			if err := u.Set(members[i]); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	defer wg.Wait()
	n.wait("all again", func(v cluster.View) bool {
		if k := alive(v); v.Settled && k > 1 && k < 21 {
			t.Errorf("settled with %d of 21", k)
		}
		return v.Settled && alive(v) == 21
	})
}

// universe runs simulated members until the test ends.
func universe(t testing.TB) *clustertest.Universe {
	t.Helper()
	u, err := clustertest.NewUniverse(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// Without seeds a node comes back through the members that its snapshot
// names, and counts on them.
func TestSnapshotRejoins(t *testing.T) {
	t.Parallel()
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	b := start(t, cluster.Config{Name: "b", Bind: loopback()})
	b.waitFor("b:alive")
	c := cluster.Config{Name: "a", Bind: loopback(), Join: []string{b.Info().Bind}, SnapshotPath: snapshot}
	a := start(t, c)
	a.waitFor("a:alive b:alive")
	a.kill()
	data, err := os.ReadFile(snapshot)
	if err != nil || !strings.Contains(string(data), "alive: b ") {
		t.Fatalf("snapshot %q, %v", data, err)
	}
	c.Join = nil
	a = start(t, c)
	a.wait("b", func(v cluster.View) bool {
		if v.Settled && v.Alone() {
			t.Error("settled alone although the snapshot names b")
		}
		return v.Settled && describe(v) == "a:alive b:alive"
	})
	a.leave()
	a = start(t, c)
	a.waitFor("a:alive") // a leave forgets the others
	a.kill()

	c.RejoinAfterLeave = true
	c.Join = []string{b.Info().Bind}
	a = start(t, c)
	a.waitFor("a:alive b:alive")
	a.leave()
	c.Join = nil
	a = start(t, c)
	a.waitFor("a:alive b:alive")
}

// Serf would end the process when it compacts a snapshot that is gone.
func TestSnapshotIsKept(t *testing.T) {
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), SnapshotPath: snapshot})
	n.waitFor("n:alive")
	if err := os.Remove(snapshot); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the snapshot is back", func() bool { _, err := os.Stat(snapshot); return err == nil })
}

// When the host's address changes the node leaves and comes back at the new
// one, known by its name.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	old, next := netip.MustParseAddr(loopback()), netip.MustParseAddr(loopback())
	host := &host{addr: old}
	b := startAt(t, cluster.Config{Name: "b", Bind: old.String(), Join: []string{a.Info().Bind}}, host)
	a.waitFor("a:alive b:alive")
	b.waitFor("a:alive b:alive")
	host.move(next)
	v := a.wait("b at its new address", func(v cluster.View) bool {
		m, _ := v.Member("b")
		return m.Addr == next && m.Status == cluster.Alive && v.Settled
	})
	if len(v.Members) != 2 {
		t.Errorf("view %s", describe(v))
	}
	v = b.wait("epoch 2 settled", func(v cluster.View) bool { return v.Epoch == 2 && v.Settled })
	if got := describe(v); got != "a:alive b:alive" {
		t.Errorf("view of epoch 2: %s", got)
	}
	if i := b.Info(); i.Epoch != 2 || i.Advertise != next.String()+":7946" || len(i.Conflicts) != 0 {
		t.Errorf("info %+v", i)
	}
}

// Two nodes claim one name: the newcomer is sent away by vote, tries again,
// and takes the name over when the first has gone.
func TestNameConflict(t *testing.T) {
	t.Parallel()
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	seeds := []string{a.Info().Bind}
	first := start(t, cluster.Config{Name: "twin", Bind: loopback(), Join: seeds})
	a.waitFor("a:alive twin:alive")
	kept, _ := a.View().Member("twin")

	ip := loopback()
	second := start(t, cluster.Config{Name: "twin", Bind: ip, Join: seeds})
	eventually(t, "the second is sent away and comes back", func() bool { return second.Info().Epoch >= 2 })
	if got, _ := a.View().Member("twin"); got.Addr != kept.Addr {
		t.Errorf("twin is now %+v, was %+v", got, kept)
	}
	conflicts := a.Info().Conflicts
	if !slices.ContainsFunc(conflicts, func(c cluster.Conflict) bool {
		return c.Name == "twin" && c.Refused == ip+":7946" && c.Count > 0
	}) {
		t.Errorf("conflicts as a sees them: %+v", conflicts)
	}
	if n := a.log.count("two nodes claim one name"); n != 1 {
		t.Errorf("logged %d times by a", n)
	}
	first.kill()
	a.wait("the second has the name", func(v cluster.View) bool {
		m, _ := v.Member("twin")
		return m.Addr.String() == ip && m.Status == cluster.Alive && len(v.Members) == 2
	})
	second.waitFor("a:alive twin:alive")
}
