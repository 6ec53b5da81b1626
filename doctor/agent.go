package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muster/cluster"
	"muster/human"
)

// running says whether an agent answers.
func (e *examination) running(context.Context) Findings {
	r := report{check: "agent"}
	if e.status == nil {
		if e.barred() {
			r.add(Warning, "Run doctor as root, or as a member of the socket's group: it then sees what the agent sees, and asks it.", "%v", e.failure)
			return r.found
		}
		r.add(Warning, "Start it with `muster agent`, or `systemctl start muster`; if it listens elsewhere say where with --socket. What only a running agent knows is skipped.",
			"%v", e.failure)
		return r.found
	}
	if problem := e.status.Node.Problem; problem != "" {
		r.add(Problem, "It tries to come back by itself; its log says more.", "it is, or was, out of the cluster: %s", problem)
	}
	if c := e.Config.Config.Cluster; !e.attached() && e.of.pid != 0 {
		if has := c.EncryptKey != "" || c.KeyringFile != ""; has != e.status.Node.Encrypted {
			r.add(Warning, "Give doctor the flags that the agent was given, --config, --encrypt or --keyring-file, or start the agent again.",
				"it was told other things than doctor: it %s the gossip, and by this configuration it %s", does(e.status.Node.Encrypted, "encrypts", "does not encrypt"), does(has, "would", "would not"))
		}
	}
	return r.orOK("%s, version %s, at %s", e.status.Node.Name, e.status.Version, e.Config.Config.HTTP.Socket)
}

func does(so bool, yes, no string) string {
	if so {
		return yes
	}
	return no
}

// listening looks whether an agent that does not run could listen.
func (e *examination) listening(context.Context) Findings {
	r := report{check: "listen"}
	switch {
	case e.attached():
		r.skip("the agent follows the one at %s, which listens", e.Config.Config.Attach)
		return r.found
	case e.status != nil:
		return r.orOK("%s, which the others know as %s", e.status.Node.Bind, e.status.Node.Advertise)
	case e.barred():
		r.skip("this user may not ask the agent")
		return r.found
	}
	if e.bound != nil {
		r.add(Problem, "If another agent, of Serf's own, runs there: follow it with --attach, or stop it. Otherwise say with --bind, --iface or --advertise what to use.", "%v", e.bound)
	}
	return r.orOK("the address is free; the others would know it as %s", e.own)
}

// membership looks how the agent stands to the cluster.
func (e *examination) membership(context.Context) Findings {
	r := report{check: "members"}
	if e.status == nil {
		r.skip("no agent runs here that knows them")
		return r.found
	}
	s, c := e.status, e.Config.Config.Cluster
	hopes := len(c.Join) > 0 || c.Discover != "" || s.Node.Discover != "" || s.Node.JoinError != "" || len(s.Members) > 1
	switch {
	case s.Node.JoinError != "":
		r.add(Problem, "The checks of the way to those nodes, below, say why.", "it cannot join: %s", s.Node.JoinError)
	case !s.Settled:
		r.add(Warning, "Wait a moment, and look again. Until then no file is changed.", "it has started, and has not settled yet")
	case s.Alone && hopes:
		r.add(Problem, "If the others run, this node is cut off: the checks of the way to them say more.", "it is alone: no other node is alive")
	case s.Alone:
		r.add(Warning, "If it is not meant to be the only one, tell it whom to join: start_join, --join or discover.", "it is alone, and was not told of anybody to join")
	}
	if s.Doubt > 0 {
		r.add(Warning, "Look at this node first, not at the others: its network, and whether it is short of processor.",
			"it suspects that it is itself cut off, or too busy: of its own probes too many fail (%d of 8)", s.Doubt)
	}
	var failed []string
	for _, m := range e.members {
		if m.Status == cluster.Failed {
			failed = append(failed, m.Name)
		}
	}
	if len(failed) > 0 {
		r.add(Warning, "Look whether they run. Of one that is gone for good: `muster force-leave NAME`.", "%s failed: %s", human.Count(len(failed), "member"), human.Few(failed, mostNamed))
	}
	for _, u := range s.Node.Unreachable {
		r.add(Problem, "A firewall, most often: let UDP and TCP of the gossip's port through, both ways.", "%s is alive, and does not answer this node: %s", u.Name, u.Why)
	}
	if n := s.Node.Refused; len(n) > 0 {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(n)) {
			parts = append(parts, fmt.Sprintf("%s %d", reason, n[reason]))
		}
		r.add(Warning, "The agent's log says from whom; somebody sends what no node should.", "things from the network were refused: %s", strings.Join(parts, ", "))
	}
	return r.orOK("%d alive", s.Members[string(cluster.Alive)])
}

// freshClash is for how long a clash counts that has not been seen since.
const freshClash = 10 * time.Minute

// names looks for two nodes of one name, as far as the agent noticed; of one
// that does not run the way to another node tells.
func (e *examination) names(context.Context) Findings {
	r := report{check: "name"}
	if e.status == nil {
		if name := e.Config.Config.Cluster.NodeName(); name == "localhost" || name == "raspberrypi" || name == "debian" {
			r.add(Warning, "Set node_name, or the host's name.", "this node is called %s, as others may be, too", name)
		}
		return r.orOK("this node would be called %s", e.Config.Config.Cluster.NodeName())
	}
	for _, c := range e.status.Node.Conflicts {
		level := Warning
		if time.Since(c.Last) < freshClash {
			level = Problem
		}
		whose := "two nodes are"
		if c.Name == e.status.Node.Name {
			whose = "this node and another are"
		}
		r.add(level, "Set node_name on one of them, and start its agent again.", "%s called %s: %s, which is in the cluster, and %s, which is kept out; last seen %s",
			whose, c.Name, c.Kept, c.Refused, c.Last.Local().Format(time.DateTime))
	}
	return r.orOK("%s, which no other node claims", e.status.Node.Name)
}

// keys looks whether all nodes have the same keys.
func (e *examination) keys(ctx context.Context) Findings {
	r := report{check: "keys"}
	switch {
	case e.attached():
		r.skip("the agent that is followed has them")
		return r.found
	case e.status == nil:
		r.skip("no agent runs here to ask the others")
		return r.found
	case !e.status.Node.Encrypted:
		r.add(Warning, "`muster keygen` makes a key: give it to all nodes, with encrypt_key or keyring_file.", "the gossip is not encrypted: anybody in the network can join, and say what they like")
		return r.found
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	k, err := e.Keys(ctx)
	if err != nil {
		r.skip("the nodes cannot be asked: %v", err)
		return r.found
	}
	if k.Answered < k.Nodes {
		r.add(Warning, "Ask again; `muster reachability` says who does not answer.", "of %s only %d said which keys they have", human.Count(k.Nodes, "node"), k.Answered)
	}
	// No key is shown: what is known of it is how many have it.
	partly := 0
	for _, n := range k.Keys {
		if n < k.Answered-k.Failed {
			partly++
		}
	}
	if partly > 0 || len(k.Primary) > 1 {
		r.add(Warning, "Finish the change of keys: `muster keys --list`, then --install, --use and --remove.",
			"the nodes do not have the same keys: %s in use, %d installed on some of them only", human.Count(len(k.Primary), "key"), partly)
	}
	return r.orOK("%s, the same on %s", human.Count(len(k.Keys), "key"), human.Count(k.Answered, "node"))
}

// nearlyFull is from how many bytes on tags are nearly too many.
const nearlyFull = cluster.TagSpace * 9 / 10

// tags looks how much of their space is in use, and by which.
func (e *examination) tags(context.Context) Findings {
	r := report{check: "tags"}
	if e.attached() && e.status == nil {
		r.skip("no agent runs here that knows them")
		return r.found
	}
	tags := e.self().Tags
	all := cluster.TagSize(tags)
	type part struct {
		name  string
		bytes int
	}
	var parts []part
	for name := range tags {
		without := maps.Clone(tags)
		delete(without, name)
		parts = append(parts, part{name, all - cluster.TagSize(without)})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(b.bytes-a.bytes, strings.Compare(a.name, b.name)) })
	var each []string
	for _, p := range parts {
		each = append(each, fmt.Sprintf("%s %d", p.name, p.bytes))
	}
	text := fmt.Sprintf("%d of %d bytes", all, cluster.TagSpace)
	if len(each) > 0 {
		text += ": " + human.Few(each, mostNamed)
	}
	const remedy = "Shorten or drop some: tags = { … }, `muster tags --delete`, or fewer and shorter services."
	if all > cluster.TagSpace {
		r.add(Problem, remedy, "they do not fit: %s", text)
	} else if all >= nearlyFull {
		r.add(Warning, remedy, "hardly any more fit: %s", text)
	}
	if e.status != nil && e.status.Services != nil && e.status.Services.Problem != "" {
		r.add(Problem, remedy, "the services are not published: %s", e.status.Services.Problem)
	}
	return r.orOK("%s", text)
}
