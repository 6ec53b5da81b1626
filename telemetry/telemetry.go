// Package telemetry sends the measurements of Serf and memberlist to a statsd
// or a statsite, as Serf's agent does and under the same names, and keeps them
// for Prometheus, under names as that wants them.
//
// Both libraries measure into the global of hashicorp/go-metrics, and offer no
// other way: while Run runs, that global is this package's. Its own sinks have
// no end, keep their sockets, and panic when something is measured after they
// were shut down, so there is one here.
package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	metrics "github.com/hashicorp/go-metrics"
)

// A Config says where measurements go.
type Config struct {
	Statsd   string       // "host:port", UDP; empty: nowhere
	Statsite string       // "host:port", TCP; empty: nowhere
	Meter    *Meter       // keeps them; nil: nobody does
	Logger   *slog.Logger // nil discards
}

// service is what Serf's agent prefixes all names with.
const service = "serf-agent"

// unbounded are the beginnings of names that end in what somebody in the
// network chose, the name of an event or a query. They are not sent: whoever
// may send events could create as many counters as he likes. The sums,
// serf.events and serf.queries, are.
var unbounded = []string{service + ".serf.events.", service + ".serf.queries."}

// Run sends measurements until ctx is done, and then what is left, for at most
// a second. Without a destination it only waits. A destination that cannot be
// reached is tried again and again; meanwhile its measurements are lost, and
// nobody waits for it. Only one Run may run in a process.
func Run(ctx context.Context, c Config) error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var sinks metrics.FanoutSink
	var senders sync.WaitGroup
	defer senders.Wait()
	for network, addr := range map[string]string{"udp": c.Statsd, "tcp": c.Statsite} {
		if addr != "" {
			s := newSink(network, addr, c.Logger)
			sinks = append(sinks, s)
			senders.Go(func() { s.run(ctx) })
		}
	}
	sending := len(sinks) > 0
	if c.Meter != nil {
		sinks = append(sinks, c.Meter)
	}
	if len(sinks) == 0 {
		<-ctx.Done()
		return nil
	}
	conf := metrics.DefaultConfig(service)
	conf.EnableRuntimeMetrics = false // its goroutine would never end
	conf.BlockedPrefixes = unbounded
	m, err := metrics.NewGlobal(conf, sinks)
	if err != nil {
		return err
	}
	defer metrics.Shutdown()
	if !sending { // the Meter has no use for the runtime's numbers
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(conf.ProfileInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			m.EmitRuntimeStats()
		}
	}
}
