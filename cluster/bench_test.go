package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/cluster"
	"muster/cluster/clustertest"
)

// crowd runs a node among n simulated members.
func crowd(tb testing.TB, n int) (*cluster.Node, *clustertest.Universe) {
	tb.Helper()
	u, err := clustertest.NewUniverse(0)
	if err != nil {
		tb.Fatal(err)
	}
	tags := map[string]string{"role": "web", "dc": "eu-1", "weight": "10", "port": "8080"}
	if err := u.Set(clustertest.Members("web", n, tags)...); err != nil {
		tb.Fatal(err)
	}
	node, err := cluster.Join(cluster.Config{
		Name: "self", Bind: loopback(), Join: []string{u.Seed()}, Quiet: 100 * time.Millisecond,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	tb.Cleanup(func() {
		cancel(cluster.ErrStay)
		if err := <-done; err != nil {
			tb.Error(err)
		}
		u.Close()
	})
	for len(node.View().Members) != n+1 || !node.View().Settled {
		select {
		case <-node.Changed():
		case <-time.After(30 * time.Second):
			tb.Fatalf("%d of %d members came", len(node.View().Members), n+1)
		}
	}
	return node, u
}

var sizes = []int{100, 1_000, 10_000}

// BenchmarkEventToChanged is one member's change of tags, from the packet
// that says so to the view that shows it.
func BenchmarkEventToChanged(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			node, u := crowd(b, n)
			m := node.View().Members[n/2]
			i := 0
			for b.Loop() {
				b.StopTimer() // the viewer rests after a look: not a part of one event
				time.Sleep(30 * time.Millisecond)
				b.StartTimer()
				i++
				m.Tags = map[string]string{"role": "web", "turn": fmt.Sprint(i)}
				if err := u.Set(m); err != nil {
					b.Fatal(err)
				}
				for {
					<-node.Changed()
					if got, _ := node.View().Member(m.Name); got.Tags["turn"] == m.Tags["turn"] {
						break
					}
				}
			}
		})
	}
}
