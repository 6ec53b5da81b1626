package clustertest

import (
	"cmp"
	"time"

	"muster/cluster"
)

// Fast returns c with the timing of a cluster on one machine, where c says
// nothing else: failures are seen within about two seconds, a membership
// settles within a quarter of one, and a leave takes 50 ms besides the
// gossip.
func Fast(c cluster.Config) cluster.Config {
	const ms = time.Millisecond
	c.Profile = cmp.Or(c.Profile, "local")
	c.ProbeInterval = cmp.Or(c.ProbeInterval, 300*ms)
	c.ProbeTimeout = cmp.Or(c.ProbeTimeout, 150*ms)
	c.GossipInterval = cmp.Or(c.GossipInterval, 20*ms)
	c.PushPullInterval = cmp.Or(c.PushPullInterval, 2*time.Second)
	c.StreamTimeout = cmp.Or(c.StreamTimeout, 2*time.Second)
	c.ReconnectInterval = cmp.Or(c.ReconnectInterval, time.Second)
	c.LeaveDelay = cmp.Or(c.LeaveDelay, 50*ms)
	c.BroadcastTimeout = cmp.Or(c.BroadcastTimeout, time.Second)
	c.Look = cmp.Or(c.Look, 100*ms)
	c.Quiet = cmp.Or(c.Quiet, 200*ms)
	c.Settle = cmp.Or(c.Settle, 2*time.Second)
	c.AddressCheck = cmp.Or(c.AddressCheck, 100*ms)
	c.Backoff = cmp.Or(c.Backoff, 100*ms)
	c.RetryInterval = cmp.Or(c.RetryInterval, 500*ms)
	c.DisableCompression = true
	return c
}
