package nodes

import (
	"context"
	"net/netip"
	"time"

	"muster/cluster"
	"muster/load"
)

// A Report is how the nodes are.
type Report struct {
	At      time.Time `json:"at"`
	Self    string    `json:"self"`    // this node
	Alone   bool      `json:"alone"`   // no other member is alive
	Settled bool      `json:"settled"` // the first join has come to rest
	// Every is the time between two rounds of questions, and Threshold the φ
	// from which a node is suspected.
	Every     time.Duration `json:"every"`
	Threshold float64       `json:"threshold"`
	// Rounds counts the rounds asked since the agent started, and Problem is
	// why the last one could not be asked.
	Rounds  uint64 `json:"rounds"`
	Problem string `json:"problem,omitempty"`
	Nodes   []Node `json:"nodes"` // every known member, sorted by name
}

// A Node is how one node is.
type Node struct {
	Name   string            `json:"name"`
	Addr   netip.Addr        `json:"addr"`
	Port   uint16            `json:"port"`
	Status cluster.Status    `json:"status"` // Serf's word
	Since  time.Time         `json:"since"`  // in this status, as far as this agent knows
	Tags   map[string]string `json:"tags,omitempty"`
	// Phi is how much it is suspected (see package accrual), and Suspected
	// whether that has reached the threshold; none of a node that has never
	// answered, or that has left.
	Phi       *float64 `json:"phi,omitempty"`
	Suspected bool     `json:"suspected,omitempty"`
	// RTT is the estimated round-trip time from this node; 0: not known.
	RTT time.Duration `json:"rtt,omitempty"`
	// Clock is how its clock stands to this node's; nil: it did not say.
	Clock *Clock `json:"clock,omitempty"`
	// Load is what it last said of itself, Rate one figure for it (load.Rate),
	// Answered when, and Age how long ago that was.
	Load     *load.Load    `json:"load,omitempty"`
	Rate     *float64      `json:"rate,omitempty"`
	Answered time.Time     `json:"answered,omitzero"`
	Age      time.Duration `json:"age,omitempty"`
	Problem  string        `json:"problem,omitempty"` // why its last answer could not be read
}

// A Clock is how another node's clock stands to this one's: ahead by Offset,
// negative if behind, give or take Error, which is half of the time that the
// answer took.
type Clock struct {
	Offset time.Duration `json:"offset"`
	Error  time.Duration `json:"error"`
}

// Look returns how the nodes are, and has them asked for Config.Lease from now
// on. Where they have not been asked lately it waits until they have been, for
// wait at most, and tells then what is known.
func (b *Book) Look(ctx context.Context, wait time.Duration) Report {
	rounded := b.want(time.Now())
	if rounded != nil && wait > 0 {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-rounded:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	return b.report(time.Now())
}

// want renews the lease and returns what to wait for; nil: nothing.
func (b *Book) want(now time.Time) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if lease := now.Add(b.c.Lease); lease.After(b.lease) {
		b.lease = lease
	}
	select {
	case b.wanted <- struct{}{}:
	default:
	}
	if !b.heard.IsZero() && now.Sub(b.heard) <= b.c.Every {
		return nil
	}
	return b.rounded
}

// report puts together what is known at now.
func (b *Book) report(now time.Time) Report {
	v := b.c.View()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.see(v, now)
	out := Report{
		At: now, Self: v.Self, Alone: v.Alone(), Settled: v.Settled, Every: b.c.Every, Threshold: b.suspect.Threshold,
		Rounds: b.rounds, Problem: b.problem, Nodes: make([]Node, 0, len(v.Members)),
	}
	for _, m := range v.Members {
		out.Nodes = append(out.Nodes, b.records[m.Name].node(m, now, b.judged(now), b.suspect.Threshold))
	}
	return out
}

// judged is up to when silence counts: while the next question is overdue
// there is nothing to answer.
func (b *Book) judged(now time.Time) time.Time {
	if due := b.asked.Add(b.c.Every * 3 / 2); due.Before(now) {
		return due
	}
	return now
}

// node is what is known of m at now, and how its silence until then is judged.
// The node is its reader's own, but for the tags.
func (r *record) node(m cluster.Member, now, judged time.Time, threshold float64) Node {
	n := Node{
		Name: m.Name, Addr: m.Addr, Port: m.Port, Status: m.Status, Since: r.since, Tags: m.Tags, RTT: r.rtt, Problem: r.problem,
	}
	if r.silence != nil {
		phi := r.silence.Phi(judged)
		n.Phi, n.Suspected = &phi, phi >= threshold
	}
	if r.clock != nil {
		clock := *r.clock
		n.Clock = &clock
	}
	if r.load != nil {
		l, rate := *r.load, r.load.Rate()
		n.Load, n.Rate, n.Answered, n.Age = &l, &rate, r.answered, max(now.Sub(r.answered), 0)
	}
	return n
}
