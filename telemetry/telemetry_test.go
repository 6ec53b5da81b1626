package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metrics "github.com/hashicorp/go-metrics"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = time.Minute

// start runs Run, and returns what ends it and waits.
func start(t *testing.T, c Config) (stop func()) {
	t.Helper()
	before := metrics.Default()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(limit):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	for end := time.Now().Add(limit); metrics.Default() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Run does not take the global")
		}
	}
	return stop
}

// measure is what Serf measures, hostile names of events included.
func measure() {
	metrics.IncrCounterWithLabels([]string{"serf", "events"}, 1, nil)
	metrics.IncrCounterWithLabels([]string{"serf", "queries"}, 1, nil)
	for i := range 1000 {
		metrics.IncrCounterWithLabels([]string{"serf", "events", fmt.Sprint("evil", i)}, 1, nil)
		metrics.IncrCounterWithLabels([]string{"serf", "queries", "a.b:1|c\nevil"}, 1, nil)
	}
	metrics.SetGaugeWithLabels([]string{"memberlist", "health", "score"}, 3, nil)
	metrics.AddSampleWithLabels([]string{"serf", "queue", "Event"}, 2, []metrics.Label{{Name: "l", Value: "a b:c|d\ne"}})
	metrics.EmitKey([]string{"end"}, 1)
}

var measured = func() []string {
	host, _ := os.Hostname()
	return []string{
		"serf-agent.serf.events:1.000000|c", "serf-agent.serf.queries:1.000000|c",
		"serf-agent." + host + ".memberlist.health.score:3.000000|g",
		"serf-agent.serf.queue.Event.a_b_c_d_e:2.000000|ms", "serf-agent.end:1.000000|kv",
	}
}()

var own = regexp.MustCompile(`(?m)^serf-agent\..*runtime\..*\n`)

// check compares what arrived.
func check(t *testing.T, got string) {
	t.Helper()
	got = own.ReplaceAllString(got, "")
	if diff := cmp.Diff(measured, strings.Split(strings.TrimSuffix(got, "\n"), "\n")); diff != "" {
		t.Errorf("measurements (-want +got):\n%s", diff)
	}
}

func TestStatsd(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start(t, Config{Statsd: conn.LocalAddr().String()})
	measure()
	var got strings.Builder
	buf := make([]byte, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	for !strings.Contains(got.String(), ".end:") || !strings.Contains(got.String(), "runtime.num_goroutines") {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%v after\n%s", err, got.String())
		}
		if n > packet {
			t.Errorf("a datagram of %d bytes", n)
		}
		got.Write(buf[:n])
	}
	check(t, got.String())
}

// What was measured before the end arrives, and what is measured after it
// hurts nobody.
func TestStatsite(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stop := start(t, Config{Statsite: ln.Addr().String()})
	measure()
	stop()
	measure()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	check(t, string(got))
}

func TestNowhere(t *testing.T) {
	before := metrics.Default()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Run(ctx, Config{}); err != nil || metrics.Default() != before {
		t.Errorf("%v, or the global is taken", err)
	}
}

// A statsite that does not read holds nobody up, neither who measures nor the
// end.
func TestDeaf(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stop := start(t, Config{Statsite: ln.Addr().String()})
	long := strings.Repeat("x", 1000)
	for range 3 * queued {
		metrics.IncrCounter([]string{long}, 1)
	}
	stop()
}

// One that comes back is found again; that it was away is said once.
func TestAway(t *testing.T) {
	ln, err := net.Listen("tcp", "127.49.0.1:0") // where no connection gets the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	var log bytes.Buffer
	s := newSink("tcp", addr, slog.New(slog.NewTextHandler(&log, nil)))
	s.patience = 10 * time.Millisecond
	for range 5 {
		s.IncrCounter([]string{"lost"}, 1)
		s.add(t.Context(), <-s.lines)
		s.send(t.Context())
		time.Sleep(2 * s.patience)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s.patience = limit
	s.add(t.Context(), "back:1|c\n")
	s.send(t.Context())
	s.finish()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "back:1|c\n" {
		t.Errorf("%q, %v", got, err)
	}
	got := regexp.MustCompile(`msg="([^"]*)"`).FindAllStringSubmatch(log.String(), -1)
	want := [][]string{
		{`msg="cannot send measurements, trying on"`, "cannot send measurements, trying on"},
		{`msg="measurements are taken again"`, "measurements are taken again"},
		{`msg="measurements were lost"`, "measurements were lost"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(log.String(), "count=5") {
		t.Errorf("log (-want +got):\n%s\n%s", diff, log.String())
	}
}
