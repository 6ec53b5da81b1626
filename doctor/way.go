package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"muster/cluster"
	"muster/human"
)

// maxTargets is to how many nodes the way is tried where none is named.
const maxTargets = 5

// A target is a node to try the way to.
type target struct {
	name string // empty: not known
	addr string
}

func (t target) String() string {
	if t.name == "" || t.name == t.addr {
		return t.addr
	}
	return fmt.Sprintf("%s (%s)", t.name, t.addr)
}

// targets are the nodes to try: those named; else those that cannot be
// reached; else those to join, where that has not come to anything.
func (e *examination) targets() (all []target) {
	for _, to := range e.To {
		all = append(all, e.named(to))
	}
	if len(all) > 0 || e.attached() {
		return all
	}
	if e.status != nil {
		for _, m := range e.members {
			unreachable := slices.ContainsFunc(e.status.Node.Unreachable, func(u cluster.Unreachable) bool { return u.Name == m.Name })
			if unreachable || m.Status == cluster.Failed {
				all = append(all, target{m.Name, netip.AddrPortFrom(m.Addr, m.Port).String()})
			}
		}
	}
	if e.status == nil || e.status.Alone || e.status.Node.JoinError != "" {
		for _, seed := range e.Config.Config.Cluster.Join {
			if at, err := cluster.SeedAddress(seed); err != nil || !slices.ContainsFunc(all, func(t target) bool { return t.addr == at }) {
				all = append(all, target{"", seed})
			}
		}
	}
	return all[:min(len(all), maxTargets)]
}

// named is the node that is called to, or is at it.
func (e *examination) named(to string) target {
	for _, m := range e.members {
		if at := netip.AddrPortFrom(m.Addr, m.Port).String(); m.Name == to {
			return target{m.Name, at}
		}
	}
	return target{"", to}
}

// way tries the way to one node.
func (e *examination) way(ctx context.Context, to target) Findings {
	r := report{check: "tcp"}
	if e.attached() {
		r.skip("%s: the agent follows another one, whose way it is: run doctor there", to)
		return r.found
	}
	p, err := e.Config.Config.Cluster.Probe(ctx, to.addr, e.status == nil)
	if err != nil {
		r.add(Problem, "Correct it, or make the name resolve here.", "%v", err)
		return r.found
	}
	if to.addr != p.Addr.String() {
		to = target{to.addr, p.Addr.String()}
	}
	return e.judge(to, p)
}

// judge says what a probe means.
func (e *examination) judge(to target, p cluster.Probe) Findings {
	port := p.Addr.Port()
	if leadsNowhere(p.TCP) && leadsNowhere(p.UDP) {
		return bothWays(to, p)
	}
	tcp, udp := report{check: "tcp"}, report{check: "udp"}
	tcp.stream(to, p)
	switch {
	case p.UDP.Way == cluster.Open:
		udp.ok("%s answers in %s", to, brief(p.UDP.Took))
	case p.TCP.Way == cluster.Foreign || p.TCP.Way == cluster.Closed || p.TCP.Way == cluster.Mute:
		udp.skip("%s: it is no node that answers there over TCP", to)
	case p.TCP.Way == cluster.Open && p.Key != cluster.KeySame:
		udp.skip("%s: a node answers over UDP only what it can decrypt", to)
	default:
		udp.add(Problem, letThrough("UDP", port), "UDP is blocked to %s: %s, while TCP works", to, whyNot(p.UDP))
		if e.status != nil {
			udp.found[0].Remedy += " (Doctor asks from a port of its own, as the agent has the gossip's; a firewall without memory may let only that one through.)"
		}
	}
	found := append(tcp.found, udp.found...)
	found = append(found, packets(to, p)...)
	found = append(found, keyOf(to, p)...)
	return append(found, e.peer(to, p)...)
}

// letThrough is the remedy for a firewall.
func letThrough(protocol string, port uint16) string {
	return fmt.Sprintf("Let %s port %d through, both ways, in the firewalls of both nodes and between them (`nft list ruleset`, security groups).", protocol, port)
}

// whyNot says in words what became of a question.
func whyNot(l cluster.Leg) string {
	switch l.Way {
	case cluster.Refused:
		return "it is refused (" + l.Err + ")"
	case cluster.Silent:
		return "no answer, as when a firewall drops it"
	case cluster.Barred:
		return "it cannot be sent there (" + l.Err + ")"
	}
	return l.Err
}

// leadsNowhere reports whether nothing at all answered.
func leadsNowhere(l cluster.Leg) bool {
	return l.Way == cluster.Refused || l.Way == cluster.Silent || l.Way == cluster.Barred
}

// bothWays is about a node to which neither TCP nor UDP leads.
func bothWays(to target, p cluster.Probe) Findings {
	r := report{check: "way"}
	switch tcp, udp := p.TCP, p.UDP; {
	case tcp.Way == cluster.Refused && udp.Way == cluster.Refused:
		r.add(Problem, "Start the agent there, or correct the address or the port.", "nothing listens at %s: TCP and UDP are refused, so its machine can be reached", to)
	case tcp.Way == cluster.Barred || udp.Way == cluster.Barred:
		r.add(Problem, "Look at the routes and the firewall of this machine (`ip route get ADDR`, `nft list ruleset`), and whether that one is up.",
			"there is no way to %s: TCP: %s; UDP: %s", to, whyNot(tcp), whyNot(udp))
	case tcp.Way == cluster.Silent && udp.Way == cluster.Silent:
		r.add(Problem, letThrough("UDP and TCP", p.Addr.Port())+" Look also whether the address is right, and that machine up.",
			"TCP and UDP are both blocked to %s, or nobody is there: no answer to either", to)
	default:
		r.add(Problem, "Start the agent there, if it does not run. "+letThrough("UDP and TCP", p.Addr.Port()),
			"nothing listens at %s, or a firewall is in the way: TCP: %s; UDP: %s", to, whyNot(tcp), whyNot(udp))
	}
	return r.found
}

// stream judges the way over TCP.
func (r *report) stream(to target, p cluster.Probe) {
	switch p.TCP.Way {
	case cluster.Open:
		r.ok("%s answers in %s", to, brief(p.TCP.Took))
	case cluster.Foreign:
		r.add(Problem, "Correct the address or the port: that is another program, or no Serf.", "what listens at %s is no node: %s", to, p.TCP.Err)
	case cluster.Closed:
		r.add(Problem, "Look what listens there (`ss -ltnp` on that machine): if it is a node, its log says why it hung up.", "%s takes the connection and hangs up without a word", to)
	case cluster.Mute:
		r.add(Problem, "Look what listens there (`ss -ltnp` on that machine): another program, or an agent that is stuck.", "%s takes the connection and says nothing", to)
	case cluster.Refused:
		r.add(Problem, "Look whether a firewall rejects TCP, or the port is another program's over UDP: "+letThrough("TCP", p.Addr.Port()),
			"TCP is blocked to %s: %s, while UDP works", to, whyNot(p.TCP))
	default:
		r.add(Problem, letThrough("TCP", p.Addr.Port()), "TCP is blocked to %s: %s, while UDP works", to, whyNot(p.TCP))
	}
}

// packets is about UDP packets of the greatest length.
func packets(to target, p cluster.Probe) Findings {
	r := report{check: "packets"}
	if p.UDP.Way != cluster.Open {
		return nil
	}
	if p.Large.Way == cluster.Open {
		return r.orOK("%s answers packets of 1,400 bytes, the longest of gossip", to)
	}
	r.add(Problem, "Look at the MTU on the way (a tunnel's is often less), and whether fragments and ICMP are let through.",
		"short UDP packets reach %s and such of 1,400 bytes do not: %s", to, whyNot(p.Large))
	return r.found
}

// keyOf is about the gossip's key.
func keyOf(to target, p cluster.Probe) Findings {
	r := report{check: "key"}
	const remedy = "Give both the same encrypt_key or keyring_file, and start the agent whose it was not again."
	switch p.Key {
	case cluster.KeySame:
		return r.orOK("%s has the same", to)
	case cluster.KeyDiffers:
		r.add(Problem, remedy, "%s encrypts with another key than this node", to)
	case cluster.KeyThere:
		r.add(Problem, remedy, "%s encrypts, and this node has no key", to)
	case cluster.KeyHere:
		r.add(Problem, remedy, "%s does not encrypt, and this node does", to)
	case cluster.KeyBehind:
		r.add(Problem, "Install the new key on all nodes before one uses it: `muster keys --install`, then --use.", "%s lacks the key that this node encrypts with, though this node reads it", to)
	default:
		if p.TCP.Way != cluster.Open && p.UDP.Way == cluster.Silent {
			return nil
		}
		if p.TCP.Way == cluster.Foreign {
			return nil
		}
		r.skip("%s: it cannot be told without an answer", to)
	}
	return r.found
}

// peer is about what the other node says of itself and of this one.
func (e *examination) peer(to target, p cluster.Probe) Findings {
	r := report{check: "peer"}
	if p.Seen == nil {
		return nil
	}
	alive, there := 0, ""
	for _, m := range p.Seen {
		at := netip.AddrPortFrom(m.Addr, m.Port)
		if m.Status == cluster.Alive {
			alive++
			if at == p.Addr {
				there = m.Name
			}
		}
		e.seenAs(&r, to, m)
	}
	if there == "" {
		r.add(Warning, "If that address is translated (NAT), let it advertise one that all others reach.", "%s is known to itself under another address: the others are told that one", to)
		return r.found
	}
	return r.orOK("%s is %s, and knows %s alive", p.Addr, there, human.Count(alive, "node"))
}

// seenAs judges how another node sees this one.
func (e *examination) seenAs(r *report, to target, m cluster.Member) {
	at, self := netip.AddrPortFrom(m.Addr, m.Port), e.self().Name
	switch {
	case m.Name != self:
	case at == e.own && m.Status == cluster.Failed && e.status != nil:
		r.add(Problem, "It does not hear this node: try the way back, with `muster doctor` on that one.", "%s takes this node for failed", to)
	case at == e.own || m.Status != cluster.Alive:
	case e.status != nil:
		r.add(Problem, "Set node_name on one of them, and start its agent again.", "there are two nodes called %s: this one at %s, and one at %s, whom %s knows", self, e.own, at, to)
	default:
		r.add(Problem, "Set node_name here, or there.", "the name %s is taken: by a living node at %s, whom %s knows", self, at, to)
	}
}
