package rpc_test

import (
	"context"
	"fmt"
	"testing"

	"muster/cluster"
	"muster/cluster/clustertest"
	"muster/rpc"
)

// crowded serves a node among n simulated members.
func crowded(tb testing.TB, n int) *served {
	tb.Helper()
	u, err := clustertest.NewUniverse(0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(u.Close)
	tags := map[string]string{"role": "web", "dc": "eu-1", "weight": "10", "port": "8080", "version": "1.2.3"}
	if err := u.Set(clustertest.Members("web", n, tags)...); err != nil {
		tb.Fatal(err)
	}
	s := serve(tb, cluster.Config{Name: "self", Join: []string{u.Seed()}}, rpc.ServerConfig{})
	s.wait(tb, func(v cluster.View) bool { return len(v.Members) == n+1 && v.Settled })
	return s
}

// BenchmarkServeMembers is one call of members over loopback: by Serf's own client,
// whose reflection is most of it, by ours, and with the answer only counted,
// which is the server alone.
func BenchmarkServeMembers(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("stock/%d", n), func(b *testing.B) {
			c := crowded(b, n).dial(b, "")
			for b.Loop() {
				if got, err := c.Members(); err != nil || len(got) != n+1 {
					b.Fatal(len(got), err)
				}
			}
		})
		b.Run(fmt.Sprintf("ours/%d", n), func(b *testing.B) {
			c, err := rpc.Dial(context.Background(), crowded(b, n).Addr, rpc.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			for b.Loop() {
				if got, err := c.Members(context.Background(), rpc.Filter{}); err != nil || len(got) != n+1 {
					b.Fatal(len(got), err)
				}
			}
		})
		b.Run(fmt.Sprintf("server/%d", n), func(b *testing.B) { onlyServer(b, n) })
	}
}

func onlyServer(b *testing.B, n int) {
	s := crowded(b, n)
	w := s.raw(b)
	w.say(handshake)
	w.hears(answer(0, ""))
	buf := make([]byte, 64<<10)
	size := 0
	for b.Loop() {
		w.say(request("members", 1), request("stop", 2), "\x81\xa4Stop\x00")
		for got := 0; ; {
			k, err := w.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			got += k
			// The answer to stop is the last one, and 13 bytes long.
			if end := answer(2, ""); got > len(end) && k >= len(end) && string(buf[k-len(end):k]) == end {
				size = got
				break
			}
		}
	}
	b.ReportMetric(float64(size)/1024, "kB")
}
