package cluster

import (
	"maps"
	"runtime"
	"strconv"

	"github.com/hashicorp/serf/coordinate"
)

// Stats returns figures about the node, in the sections and under the keys of
// Serf's `info`: agent, runtime, serf (members, clocks, queues), tags and
// event_handlers, which is empty; and, in muster, what Serf does not know. The
// section serf is empty while there is no incarnation.
func (n *Node) Stats() map[string]map[string]string {
	stats := map[string]map[string]string{
		"agent": {"name": n.c.Name},
		"runtime": {
			"os": runtime.GOOS, "arch": runtime.GOARCH, "version": runtime.Version(),
			"max_procs":  strconv.Itoa(runtime.GOMAXPROCS(0)),
			"goroutines": strconv.Itoa(runtime.NumGoroutine()),
			"cpu_count":  strconv.Itoa(runtime.NumCPU()),
		},
		"serf": {}, "tags": {}, "event_handlers": {}, "muster": n.ownStats(),
	}
	if in, _, _ := n.life.look(); in != nil {
		defer in.calls.Done()
		stats["serf"] = in.serf.Stats()
		stats["tags"] = maps.Clone(in.serf.LocalMember().Tags)
	}
	return stats
}

// ownStats are the figures that Serf does not know.
func (n *Node) ownStats() map[string]string {
	v, info := n.View(), n.Info()
	var refused uint64
	for _, count := range info.Refused {
		refused += count
	}
	return map[string]string{
		"epoch":      strconv.FormatUint(info.Epoch, 10),
		"settled":    strconv.FormatBool(v.Settled),
		"joined":     strconv.FormatUint(info.Joined, 10),
		"join_error": info.JoinError,
		"problem":    info.Problem,
		"refused":    strconv.FormatUint(refused, 10),
		"conflicts":  strconv.Itoa(len(info.Conflicts)),
	}
}

// A Coordinate places a member in Serf's network tomography (Dabek and others,
// Vivaldi, 2004): the distance of two estimates their round-trip time.
type Coordinate = coordinate.Coordinate

// Coordinate returns where a member is, if that is known.
func (n *Node) Coordinate(member string) (*Coordinate, bool) {
	in, _, _ := n.life.look()
	if in == nil {
		return nil, false
	}
	defer in.calls.Done()
	if member == n.c.Name {
		c, err := in.serf.GetCoordinate()
		return c, err == nil
	}
	c, ok := in.serf.GetCachedCoordinate(member)
	if !ok {
		return nil, false
	}
	return c.Clone(), true
}

// Versions are the protocol versions that a member can speak and does:
// memberlist's, and Serf's (the delegate's).
type Versions struct {
	ProtocolMin, ProtocolMax, ProtocolCur uint8
	DelegateMin, DelegateMax, DelegateCur uint8
}

// Versions returns the versions of all members, by name.
func (n *Node) Versions() map[string]Versions {
	in, _, _ := n.life.look()
	if in == nil {
		return nil
	}
	defer in.calls.Done()
	members := in.serf.Members()
	out := make(map[string]Versions, len(members))
	for _, m := range members {
		out[m.Name] = Versions{m.ProtocolMin, m.ProtocolMax, m.ProtocolCur, m.DelegateMin, m.DelegateMax, m.DelegateCur}
	}
	return out
}
