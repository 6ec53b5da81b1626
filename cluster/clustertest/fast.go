package clustertest

import (
	"time"

	"muster/cluster"
)

// Fast returns c with the timing of a cluster on one machine: failures are
// seen within about two seconds, a membership settles within a quarter of
// one, and a leave takes 50 ms besides the gossip.
func Fast(c cluster.Config) cluster.Config {
	c.Profile = "local"
	c.ProbeInterval = 300 * time.Millisecond
	c.ProbeTimeout = 150 * time.Millisecond
	c.GossipInterval = 20 * time.Millisecond
	c.PushPullInterval = 2 * time.Second
	c.StreamTimeout = 2 * time.Second
	c.ReconnectInterval = time.Second
	c.LeaveDelay = 50 * time.Millisecond
	c.BroadcastTimeout = time.Second
	c.Look = 100 * time.Millisecond
	c.Quiet = 200 * time.Millisecond
	c.Settle = 2 * time.Second
	c.AddressCheck = 100 * time.Millisecond
	c.Backoff = 100 * time.Millisecond
	c.RetryInterval = 500 * time.Millisecond
	c.DisableCompression = true
	return c
}
