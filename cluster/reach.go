package cluster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// An Unreachable member is alive, as others or a stream tell, and yet does
// not answer this node's UDP: most often a firewall is in the way.
type Unreachable struct {
	Name  string    `json:"name"`
	Addr  string    `json:"addr"`
	Since time.Time `json:"since"` // of the first probe that failed
	Last  time.Time `json:"last"`  // of the latest
	Count uint64    `json:"count"` // of probes in a row
	Why   string    `json:"why"`   // with the remedy
}

const (
	// maxUnreachable bounds the list: the names come from the network.
	maxUnreachable = 256
	// lostProbes in a row are no accident any more.
	lostProbes = 3
)

// A reach follows which members answer this node's probes directly. A probe
// that fails is tried through others and over TCP by memberlist, and goes
// without notice if one of the two succeeds.
type reach struct {
	log  *slog.Logger
	door *door // the log's budget
	news chan struct{}

	mu      sync.Mutex
	members map[string]*probes
}

// probes are those of one member that failed since one succeeded.
type probes struct {
	Unreachable
	tcp      bool // the member answered one over TCP
	reported bool
}

func newReach(log *slog.Logger, d *door) *reach {
	return &reach{log: log, door: d, news: make(chan struct{}, 1), members: map[string]*probes{}}
}

// hear picks what memberlist says of probes out of a line of its log.
func (r *reach) hear(text string) {
	if rest, ok := strings.CutPrefix(text, "Failed UDP ping: "); ok {
		if name, ok := strings.CutSuffix(rest, " (timeout reached)"); ok {
			r.lost(name)
		}
	} else if rest, ok := strings.CutPrefix(text, "Was able to connect to "); ok {
		if name, _, ok := strings.Cut(rest, " over TCP but UDP probes failed"); ok {
			r.answeredTCP(name)
		}
	}
}

// lost notes a probe that has had no answer, or could not even be sent.
func (r *reach) lost(name string) {
	if checkName(name) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.members[name]
	if p == nil {
		if len(r.members) >= maxUnreachable {
			return
		}
		p = &probes{Unreachable: Unreachable{Name: name, Since: time.Now()}}
		r.members[name] = p
	}
	p.Last = time.Now()
	p.Count++
	if p.Count >= lostProbes && !p.reported {
		signal(r.news)
	}
}

// answeredTCP notes that a member is there all the same.
func (r *reach) answeredTCP(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.members[name]; p != nil {
		p.tcp = true
	}
}

// answered notes a probe that went well, which ends the matter.
func (r *reach) answered(name string) {
	r.mu.Lock()
	p := r.members[name]
	delete(r.members, name)
	r.mu.Unlock()
	if p != nil && p.reported {
		r.log.Info("a member answers over UDP again", "name", name, "lost", p.Count)
	}
}

// keep forgets the members that are not alive in v: they have failed, which is
// another matter.
func (r *reach) keep(v View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.members {
		if m, _ := v.Member(name); m.Status != Alive {
			delete(r.members, name)
		}
	}
}

// all returns the members that do not answer, sorted by name.
func (r *reach) all() []Unreachable {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Unreachable
	for _, p := range r.members {
		if p.reported {
			out = append(out, p.Unreachable)
		}
	}
	slices.SortFunc(out, func(a, b Unreachable) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// reports reports whether a member is one that only others reach.
func (r *reach) reports(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.members[name]
	return p != nil && p.reported
}

// due returns the members to report, by name.
func (r *reach) due() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, p := range r.members {
		if p.Count >= lostProbes && !p.reported {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// report says of a member why it does not answer, once.
func (r *reach) report(m Member, tcp error) {
	at := netip.AddrPortFrom(m.Addr, m.Port)
	r.mu.Lock()
	p := r.members[m.Name]
	if p == nil || p.reported {
		r.mu.Unlock()
		return
	}
	p.reported, p.Addr = true, at.String()
	p.Why = fmt.Sprintf("it answers over TCP but not over UDP: let UDP port %d through, both ways", at.Port())
	if tcp != nil && !p.tcp {
		p.Why = fmt.Sprintf("only others reach it, this node neither over UDP nor TCP (%s): let port %d through, UDP and TCP, both ways",
			oneLine(tcp.Error(), 200), at.Port())
	}
	why, count := p.Why, p.Count
	r.mu.Unlock()
	if r.door.afford(time.Now()) {
		r.log.Warn("a member is alive but does not answer this node's probes", "name", m.Name, "addr", at, "lost", count, "why", why)
	}
}

// reporter reports members that have not answered several probes, having
// tried what else they answer.
func (in *incarnation) reporter(ctx context.Context) {
	r := in.node.reach
	tick := time.NewTicker(in.c.Look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.keep(in.node.View())
			continue
		case <-r.news:
		}
		v := in.node.View()
		for _, name := range r.due() {
			m, ok := v.Member(name)
			if !ok || m.Status != Alive {
				continue
			}
			d := net.Dialer{Timeout: in.streamTimeout}
			conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(m.Addr, m.Port).String())
			if err == nil {
				conn.Close()
			}
			if ctx.Err() != nil {
				return
			}
			r.report(m, err)
		}
	}
}

// A pinger listens to memberlist's direct probes beside Serf, which estimates
// the distances by them.
type pinger struct {
	serf  memberlist.PingDelegate // nil: coordinates are off
	reach *reach
}

func (p *pinger) AckPayload() []byte {
	if p.serf == nil {
		return nil
	}
	return p.serf.AckPayload()
}

func (p *pinger) NotifyPingComplete(other *memberlist.Node, rtt time.Duration, payload []byte) {
	p.reach.answered(other.Name)
	if p.serf != nil {
		p.serf.NotifyPingComplete(other, rtt, payload)
	}
}
