package telemetry

import (
	"sync"

	metrics "github.com/hashicorp/go-metrics"

	"muster/exposition"
)

// A Meter is a metrics.MetricSink that keeps what Serf and memberlist measure,
// for Prometheus. It knows every name that they use and keeps no other: a name
// that somebody in the network chose never becomes a series.
//
// Calls that measure come from the middle of gossip; they take a lock for some
// nanoseconds and allocate nothing.
type Meter struct {
	mu     sync.Mutex
	values []value // of kept, in its order
	index  map[string]int
}

// A value is what was measured under one name.
type value struct {
	sum   float64
	count uint64
}

// A quantity says how one name of Serf's or memberlist's is called in
// Prometheus, and in which unit: what they measure in milliseconds is told in
// seconds.
type quantity struct {
	key   string // with dots, as in statsd
	name  string
	help  string
	kind  exposition.Kind
	scale float64
}

const (
	milli = 1e-3
	unit  = 1
)

// kept is all that serf 0.11 and memberlist 0.7 measure and measure rightly, but
// for what has the names of events and queries in it.
var kept = []quantity{
	{"memberlist.gossip", "memberlist_gossip_duration_seconds", "Time to send one round of gossip.", exposition.Summary, milli},
	{"memberlist.probeNode", "memberlist_probe_duration_seconds", "Time to probe a member.", exposition.Summary, milli},
	{"memberlist.pushPullNode", "memberlist_push_pull_duration_seconds", "Time to exchange the whole state with a member.", exposition.Summary, milli},
	{"memberlist.queue.broadcasts", "memberlist_queued_broadcasts", "Messages that wait to be gossiped, when looked at.", exposition.Summary, unit},
	{"memberlist.size.remote", "memberlist_remote_state_bytes", "Size of the state that a member sent, where gossip is encrypted.", exposition.Summary, unit},
	{"memberlist.health.score", "memberlist_health_score", "Lifeguard's awareness of being slow itself; 0 is healthy.", exposition.Gauge, unit},
	{"memberlist.degraded.probe", "memberlist_degraded_probes_total", "Probes sent while this node was slow itself.", exposition.Counter, unit},
	{"memberlist.degraded.timeout", "memberlist_degraded_timeouts_total", "Probes that timed out while this node was slow itself.", exposition.Counter, unit},
	{"memberlist.msg.alive", "memberlist_messages_alive_total", "Messages that a member is alive.", exposition.Counter, unit},
	{"memberlist.msg.dead", "memberlist_messages_dead_total", "Messages that a member is dead.", exposition.Counter, unit},
	{"memberlist.msg.suspect", "memberlist_messages_suspect_total", "Messages that a member may be dead.", exposition.Counter, unit},
	{"memberlist.tcp.accept", "memberlist_tcp_accepted_total", "TCP connections that members made.", exposition.Counter, unit},
	{"memberlist.tcp.connect", "memberlist_tcp_connects_total", "TCP connections made to members.", exposition.Counter, unit},
	{"memberlist.tcp.sent", "memberlist_tcp_sent_bytes_total", "Bytes sent by TCP.", exposition.Counter, unit},
	{"memberlist.udp.received", "memberlist_udp_received_bytes_total", "Bytes received by UDP.", exposition.Counter, unit},
	{"memberlist.udp.sent", "memberlist_udp_sent_bytes_total", "Bytes sent by UDP.", exposition.Counter, unit},
	{"serf.msgs.received", "serf_messages_received_bytes", "Sizes of Serf's messages received.", exposition.Summary, unit},
	{"serf.msgs.sent", "serf_messages_sent_bytes", "Sizes of Serf's messages sent.", exposition.Summary, unit},
	{"serf.queue.Intent", "serf_queued_intents", "Messages about joining and leaving that wait, when looked at.", exposition.Summary, unit},
	{"serf.queue.Event", "serf_queued_events", "User events that wait to be gossiped, when looked at.", exposition.Summary, unit},
	{"serf.queue.Query", "serf_queued_queries", "Queries that wait to be gossiped, when looked at.", exposition.Summary, unit},
	{"serf.member.join", "serf_member_joins_total", "Members that joined.", exposition.Counter, unit},
	{"serf.member.left", "serf_member_leaves_total", "Members that left.", exposition.Counter, unit},
	{"serf.member.failed", "serf_member_failures_total", "Members that failed.", exposition.Counter, unit},
	{"serf.member.update", "serf_member_updates_total", "Members that changed their tags.", exposition.Counter, unit},
	{"serf.member.flap", "serf_member_flaps_total", "Members that failed and came back within a minute.", exposition.Counter, unit},
	{"serf.events", "serf_events_total", "User events heard.", exposition.Counter, unit},
	{"serf.queries", "serf_queries_total", "Queries heard.", exposition.Counter, unit},
	{"serf.query_acks", "serf_query_acks_total", "Acknowledgements of this node's queries.", exposition.Counter, unit},
	{"serf.query_responses", "serf_query_responses_total", "Answers to this node's queries.", exposition.Counter, unit},
	{"serf.query_duplicate_acks", "serf_query_duplicate_acks_total", "Acknowledgements that came twice.", exposition.Counter, unit},
	{"serf.query_duplicate_responses", "serf_query_duplicate_responses_total", "Answers that came twice.", exposition.Counter, unit},
	{"serf.snapshot.appendLine", "serf_snapshot_append_duration_seconds", "Time to write a line of the snapshot.", exposition.Summary, milli},
	{"serf.snapshot.compact", "serf_snapshot_compact_duration_seconds", "Time to compact the snapshot.", exposition.Summary, milli},
	{"serf.coordinate.adjustment-ms", "serf_coordinate_adjustment_seconds", "How far this node's network coordinate moved at a time.", exposition.Summary, milli},
	{"serf.coordinate.rejected", "serf_coordinates_rejected_total", "Network coordinates that made no sense.", exposition.Counter, unit},
	{"serf.coordinate.zero-rtt", "serf_coordinates_zero_rtt_total", "Round trips that took no time.", exposition.Counter, unit},
}

// NewMeter returns a Meter of nothing yet.
func NewMeter() *Meter {
	m := &Meter{values: make([]value, len(kept)), index: make(map[string]int, len(kept))}
	for i, q := range kept {
		m.index[q.key] = i
	}
	return m
}

// Families returns what was measured so far. What was never measured is 0, or
// left out where that would say something.
func (m *Meter) Families() []exposition.Family {
	m.mu.Lock()
	defer m.mu.Unlock()
	var families []exposition.Family
	for i, q := range kept {
		v := m.values[i]
		s := exposition.Series{Value: v.sum * q.scale}
		switch {
		case q.kind == exposition.Gauge && v.count == 0:
			continue
		case q.kind == exposition.Summary:
			s = exposition.Series{Dist: &exposition.Distribution{Sum: v.sum * q.scale, Count: v.count}}
		}
		families = append(families, exposition.Family{Name: q.name, Help: q.help, Kind: q.kind, Series: []exposition.Series{s}})
	}
	return families
}

// take finds the value of a key and changes it. The key begins with the name
// of the service, and a gauge's with that of the host after it.
func (m *Meter) take(key []string, change func(*value)) {
	for range 2 {
		if len(key) == 0 {
			return
		}
		key = key[1:]
		if i, ok := m.find(key); ok {
			m.mu.Lock()
			change(&m.values[i])
			m.mu.Unlock()
			return
		}
	}
}

// find looks a key up without making a string of it.
func (m *Meter) find(key []string) (i int, ok bool) {
	var room [64]byte
	name := room[:0]
	for i, part := range key {
		if len(name)+1+len(part) > len(room) {
			return 0, false // none of ours is so long
		}
		if i > 0 {
			name = append(name, '.')
		}
		name = append(name, part...)
	}
	i, ok = m.index[string(name)]
	return i, ok
}

func (m *Meter) add(key []string, v float32) {
	m.take(key, func(to *value) { to.sum, to.count = to.sum+float64(v), to.count+1 })
}

func (m *Meter) SetGauge(key []string, v float32) {
	m.take(key, func(to *value) { to.sum, to.count = float64(v), 1 })
}
func (m *Meter) EmitKey([]string, float32)                                        {}
func (m *Meter) IncrCounter(key []string, v float32)                              { m.add(key, v) }
func (m *Meter) AddSample(key []string, v float32)                                { m.add(key, v) }
func (m *Meter) SetGaugeWithLabels(key []string, v float32, _ []metrics.Label)    { m.SetGauge(key, v) }
func (m *Meter) IncrCounterWithLabels(key []string, v float32, _ []metrics.Label) { m.add(key, v) }
func (m *Meter) AddSampleWithLabels(key []string, v float32, _ []metrics.Label)   { m.add(key, v) }

var _ metrics.MetricSink = (*Meter)(nil)
