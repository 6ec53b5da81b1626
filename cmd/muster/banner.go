package main

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"muster/cluster"
	"muster/config"
)

// A banner is what an agent says about itself when it starts, in the words of
// Serf's agent. The log is no part of it: that goes to standard error.
type banner struct {
	Node        string
	Attach      string // of the agent that is followed; empty: a node of our own
	Bind        string
	Advertise   string   // empty: what is bound
	RPC         []string // where Serf's RPC is served
	Encrypted   bool
	Snapshot    bool
	Profile     string
	Compression bool
	MDNS        string // name of the cluster to discover; empty: none
	Rules       string // directory
	Socket      string // of the local API
	HTTP        string // URL of the API over TCP; empty: it is not served there
}

// newBanner says what an agent was told, and, from info, what came of it. rpc
// is where Serf's RPC is served, http where the API is over TCP.
func newBanner(c config.Config, info cluster.Info, rpc []string, http string) banner {
	b := banner{
		Node: info.Name, Attach: c.Attach, RPC: rpc, Encrypted: info.Encrypted,
		MDNS: c.Cluster.Discover, Rules: c.Rules.Dir, Socket: c.HTTP.Socket, HTTP: http,
		Snapshot: c.Cluster.SnapshotPath != "", Profile: cmp.Or(c.Cluster.Profile, "lan"), Compression: !c.Cluster.DisableCompression,
		Bind: withPort(cmp.Or(info.Bind, c.Cluster.Bind, "0.0.0.0")),
	}
	if c.Cluster.Advertise != "" {
		b.Advertise = withPort(cmp.Or(info.Advertise, c.Cluster.Advertise))
	}
	return b
}

// withPort adds Serf's port to an address that has none.
func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), strconv.Itoa(cluster.DefaultPort))
}

// String returns the banner with a newline at the end of each line.
func (b banner) String() string {
	var out strings.Builder
	line := func(name, format string, v any) {
		fmt.Fprintf(&out, "    %27s: %s\n", name, printable(fmt.Sprintf(format, v)))
	}
	out.WriteString("==> Starting muster agent...\n")
	if b.Node != "" {
		line("Node name", "'%s'", b.Node)
	}
	if b.Attach != "" {
		line("Attached to", "'%s'", b.Attach)
	} else {
		line("Bind addr", "'%s'", b.Bind)
		if b.Advertise != "" {
			line("Advertise addr", "'%s'", b.Advertise)
		}
		line("RPC addr", "'%s'", strings.Join(b.RPC, "', '"))
		line("Encrypted", "%v", b.Encrypted)
		line("Snapshot", "%v", b.Snapshot)
		line("Profile", "%s", b.Profile)
		line("Message Compression Enabled", "%v", b.Compression)
		if b.MDNS != "" {
			line("mDNS cluster", "%s", b.MDNS)
		}
	}
	line("Rules dir", "'%s'", b.Rules)
	line("API socket", "'%s'", b.Socket)
	if b.HTTP != "" {
		line("HTTP", "'%s'", b.HTTP)
	}
	out.WriteString("\n==> Log data will now stream in as it occurs:\n\n")
	return out.String()
}
