package config

import (
	"fmt"
	"slices"
)

// A key is one thing that can be set. The table of them is all that this
// package knows: files, flags and messages follow it.
type key struct {
	block, name string // empty name: only a flag sets it; a block in a block is cluster.mdns
	flag        string // without dashes; empty: no flag sets it
	usage       string // the flag's help; empty: hidden
	path        bool   // a relative path counts from the directory of its file
	warning     string // said whenever it is set
	secret      bool   // never shown
	attached    bool   // of the cluster block: means something with attach, too
	live        bool   // a running agent takes a new value
	// field returns a pointer to where the value goes; decode knows its type.
	field func(*Config) any
}

var keys = []key{
	{block: "cluster", name: "node_name", flag: "node", usage: "`NAME` of this node, unique in the cluster, or auto to make one up (default the host's)",
		field: func(c *Config) any { return &c.Cluster.Name }},
	{block: "cluster", name: "bind", flag: "bind", usage: "`ADDR[:PORT]` to listen on (default 0.0.0.0:7946)",
		field: func(c *Config) any { return &c.Cluster.Bind }},
	{block: "cluster", name: "advertise", flag: "advertise", usage: "`ADDR[:PORT]` that the others are told",
		field: func(c *Config) any { return &c.Cluster.Advertise }},
	{block: "cluster", name: "interface", flag: "iface", usage: "network interface `NAME` whose address to listen on",
		field: func(c *Config) any { return &c.Cluster.Interface }},
	{block: "cluster", flag: "interface",
		field: func(c *Config) any { return &c.Cluster.Interface }},
	{block: "cluster", name: "attach", flag: "attach", attached: true, usage: "`ADDR` of a Serf agent's RPC: follow that agent instead of joining the cluster",
		field: func(c *Config) any { return (*address)(&c.Attach) }},
	{block: "cluster", name: "start_join", flag: "join", usage: "`ADDR[:PORT]` of a member to join through, retried while alone; repeatable",
		field: func(c *Config) any { return &c.Cluster.Join }},
	{block: "cluster", name: "retry_join", flag: "retry-join", usage: "`ADDR[:PORT]`, the same as --join; repeatable",
		field: func(c *Config) any { return &c.Cluster.Join }},
	{block: "cluster", name: "retry_interval", flag: "retry-interval", usage: "longest `TIME` between two rounds of joining (default 30s)",
		field: func(c *Config) any { return &c.Cluster.RetryInterval }},
	{block: "cluster", name: "retry_max_attempts", flag: "retry-max", usage: "give up joining after `N` times --retry-interval (default 0: never)",
		field: func(c *Config) any { return &c.Cluster.RetryMax }},
	{block: "cluster", name: "discover", flag: "discover", usage: "`NAME` of the cluster to look for by multicast DNS",
		field: func(c *Config) any { return &c.Cluster.Discover }},
	{block: mdnsBlock, name: "interface", flag: "mdns-iface", usage: "network interface `NAME` for --discover (default that of --iface)",
		field: func(c *Config) any { return &c.Cluster.MDNS.Interface }},
	{block: mdnsBlock, name: "disable_ipv4", flag: "mdns-disable-ipv4", usage: "leave IPv4 out of --discover",
		field: func(c *Config) any { return &c.Cluster.MDNS.DisableIPv4 }},
	{block: mdnsBlock, name: "disable_ipv6", flag: "mdns-disable-ipv6", usage: "leave IPv6 out of --discover",
		field: func(c *Config) any { return &c.Cluster.MDNS.DisableIPv6 }},
	{block: "cluster", name: "replay_on_join", flag: "replay", usage: "take the user events sent before the join",
		field: func(c *Config) any { return &c.Cluster.ReplayOnJoin }},
	{block: "cluster", name: "encrypt_key", flag: "encrypt", secret: true, usage: "base64 `KEY` of 16, 24 or 32 bytes; everyone on this machine can see it: prefer --keyring-file",
		field: func(c *Config) any { return &c.Cluster.EncryptKey }},
	{block: "cluster", name: "keyring_file", flag: "keyring-file", usage: "`FILE` of keys, a JSON list, the first one encrypts", path: true,
		field: func(c *Config) any { return &c.Cluster.KeyringFile }},
	{block: "cluster", name: "tags", live: true, flag: "tag", usage: "tag `KEY=VALUE` of this node; repeatable",
		field: func(c *Config) any { return &c.Cluster.Tags }},
	{block: "cluster", name: "role", live: true, flag: "role", warning: `Serf replaced it by tags; write tags = { role = "…" }`,
		field: func(c *Config) any { return (*roleTag)(&c.Cluster.Tags) }},
	{block: "cluster", name: "tags_file", flag: "tags-file", usage: "`FILE` that keeps tags changed at run time", path: true,
		field: func(c *Config) any { return &c.Cluster.TagsFile }},
	{block: "cluster", name: "snapshot_path", flag: "snapshot", usage: "`FILE` that keeps the members to rejoin through", path: true,
		field: func(c *Config) any { return &c.Cluster.SnapshotPath }},
	{block: "cluster", name: "rejoin_after_leave", flag: "rejoin", usage: "rejoin through the snapshot after a graceful leave too",
		field: func(c *Config) any { return &c.Cluster.RejoinAfterLeave }},
	{block: "cluster", name: "profile", flag: "profile", usage: "timing `PROFILE`: lan, wan or local (default lan)",
		field: func(c *Config) any { return &c.Cluster.Profile }},
	{block: "cluster", name: "protocol", flag: "protocol", usage: "Serf's protocol `VERSION`, 2 to 5 (default 5)",
		field: func(c *Config) any { return &c.Cluster.Protocol }},
	{block: "cluster", name: "leave_on_terminate", live: true,
		field: func(c *Config) any { return &c.Leave.OnTerminate }},
	{block: "cluster", name: "skip_leave_on_interrupt", live: true,
		field: func(c *Config) any { return (*inverse)(&c.Leave.OnInterrupt) }},
	{block: "cluster", name: "enable_compression",
		field: func(c *Config) any { return (*inverse)(&c.Cluster.DisableCompression) }},
	{block: "cluster", flag: "disable-compression", usage: "send messages as they are",
		field: func(c *Config) any { return &c.Cluster.DisableCompression }},
	{block: "cluster", name: "disable_coordinates",
		field: func(c *Config) any { return &c.Cluster.DisableCoordinates }},
	{block: "cluster", name: "disable_name_resolution",
		field: func(c *Config) any { return &c.Cluster.DisableNameResolution }},
	{block: "cluster", name: "validate_node_names", warning: "muster always validates names; leave it out",
		field: func(*Config) any { return new(bool) }},
	{block: "cluster", name: "reconnect_interval",
		field: func(c *Config) any { return &c.Cluster.ReconnectInterval }},
	{block: "cluster", name: "reconnect_timeout",
		field: func(c *Config) any { return &c.Cluster.ReconnectTimeout }},
	{block: "cluster", name: "tombstone_timeout",
		field: func(c *Config) any { return &c.Cluster.TombstoneTimeout }},
	{block: "cluster", name: "broadcast_timeout", flag: "broadcast-timeout", usage: "longest `TIME` for a message of our own to go out (default 3s)",
		field: func(c *Config) any { return &c.Cluster.BroadcastTimeout }},
	{block: "cluster", name: "user_event_size_limit",
		field: func(c *Config) any { return &c.Cluster.UserEventSizeLimit }},
	{block: "cluster", name: "query_size_limit",
		field: func(c *Config) any { return &c.Cluster.QuerySizeLimit }},
	{block: "cluster", name: "query_response_size_limit",
		field: func(c *Config) any { return &c.Cluster.QueryResponseSizeLimit }},
	{block: "cluster", name: "msgpackusenewtimeformat", warning: "no time is sent to anybody; leave it out",
		field: func(*Config) any { return new(bool) }},

	{block: "cluster", name: "rpc_addr", flag: "rpc-addr", usage: "`ADDR:PORT` or unix:PATH to serve Serf's RPC at, or off (default " + DefaultRPCAddr + ")",
		field: func(c *Config) any { return (*rpcAddress)(&c.RPC) }},
	{block: "cluster", name: "rpc_auth", secret: true, attached: true,
		field: func(c *Config) any { return &c.RPC.AuthKey }},

	{block: "cluster", name: "event_handlers", live: true, flag: "event-handler", attached: true, usage: "shell `LINE` that runs when events occur: [FILTER,…=]SCRIPT; repeatable",
		field: func(c *Config) any { return &c.Handlers }},
	{block: "cluster", name: "handlers_dir", flag: "handlers-dir", attached: true, usage: "`DIR` of executable NAME.sh, each run by the user event NAME", path: true,
		field: func(c *Config) any { return &c.HandlersDir }},
	{block: "cluster", name: "handler_timeout", attached: true,
		field: func(c *Config) any { return &c.HandlerTimeout }},
	{block: "cluster", name: "trusted_keys", flag: "trusted-keys", attached: true, usage: "`PATH` of public keys that may sign events, a file or a directory of *.pub (default " + DefaultTrustedKeys + ")", path: true,
		field: func(c *Config) any { return &c.TrustedKeys }},
	{block: "cluster", name: "event_max_age", attached: true,
		field: func(c *Config) any { return &c.EventMaxAge }},
	{block: "cluster", name: "insecure_gossip", flag: "insecure-gossip", attached: true, usage: "let rules act on events although the gossip is not encrypted",
		field: func(c *Config) any { return &c.InsecureGossip }},

	{block: "cluster", name: "statsd_addr", attached: true,
		field: func(c *Config) any { return &c.Telemetry.Statsd }},
	{block: "cluster", name: "statsite_addr", attached: true,
		field: func(c *Config) any { return &c.Telemetry.Statsite }},
	{block: "cluster", name: "enable_syslog", flag: "syslog", attached: true, usage: "send the log to syslog, too",
		field: func(c *Config) any { return &c.Log.Syslog.Enabled }},
	{block: "cluster", name: "syslog_facility", attached: true,
		field: func(c *Config) any { return &c.Log.Syslog.Facility }},
	{block: "cluster", name: "log_level", live: true, flag: "log-level", attached: true, usage: "least `LEVEL` that is logged: debug, info, warn or error (default info)",
		field: func(c *Config) any { return &c.Log.Level }},

	{block: "rules", name: "dir", flag: "rules", usage: "`DIR` of the rules (default " + DefaultRulesDir + ")", path: true,
		field: func(c *Config) any { return &c.Rules.Dir }},
	{block: "rules", name: "resync",
		field: func(c *Config) any { return &c.Rules.Resync }},

	{block: "nodes", name: "every",
		field: func(c *Config) any { return &c.Nodes.Every }},
	{block: "nodes", name: "threshold",
		field: func(c *Config) any { return &c.Nodes.Threshold }},
	{block: "nodes", name: "rootfs", path: true,
		field: func(c *Config) any { return &c.Nodes.RootFS }},

	{block: "http", name: "socket", flag: "socket", usage: "`PATH` of the local API's socket", path: true,
		field: func(c *Config) any { return &c.HTTP.Socket }},
	{block: "http", name: "mode",
		field: func(c *Config) any { return &c.HTTP.Mode }},
	{block: "http", name: "group",
		field: func(c *Config) any { return &c.HTTP.Group }},
	{block: "http", name: "address", flag: "http", usage: "`ADDR:PORT` to serve the API and /metrics at, besides the socket, or off (default off)",
		field: func(c *Config) any { return &c.HTTP.Address }},
	{block: "http", name: "hosts",
		field: func(c *Config) any { return &c.HTTP.Hosts }},
	{block: "http", name: "read",
		field: func(c *Config) any { return &c.HTTP.Read }},
	{block: "http", name: "token_file", path: true,
		field: func(c *Config) any { return &c.HTTP.TokenFile }},
	{block: "http", name: "read_token_file", path: true,
		field: func(c *Config) any { return &c.HTTP.ReadTokenFile }},
	{block: "http", name: "tls_cert", path: true,
		field: func(c *Config) any { return &c.HTTP.TLSCert }},
	{block: "http", name: "tls_key", path: true,
		field: func(c *Config) any { return &c.HTTP.TLSKey }},

	{block: "log", name: "level", live: true,
		field: func(c *Config) any { return &c.Log.Level }},
	{block: "log", name: "format", flag: "log-format", usage: "`FORMAT` of the log: text or json (default text)",
		field: func(c *Config) any { return &c.Log.Format }},

	{block: "services", name: "cloud", live: true,
		field: func(c *Config) any { return &c.Cloud }},

	{block: "state", name: "dir", flag: "state", usage: "`DIR` of the agent's journal (default " + DefaultStateDir + ")", path: true,
		field: func(c *Config) any { return &c.State.Dir }},
}

// blocks lists the blocks of muster.hcl.
var blocks = []string{"cluster", "rules", "nodes", "http", "log", "state", "services", serviceBlock}

// serviceBlock has a name, and keys of its own.
const serviceBlock = "service"

// mdnsBlock stands in the cluster block.
const mdnsBlock = "cluster.mdns"

// place shows where a key belongs.
func (k key) place() (block, example string) {
	if k.block == mdnsBlock {
		return "mdns", fmt.Sprintf("cluster { mdns { %s = … } }", k.name)
	}
	return k.block, fmt.Sprintf("%s { %s = … }", k.block, k.name)
}

// find returns the setting of that name in a block.
func find(block, name string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.block == block && k.name == name && name != "" })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

// names lists what a block may hold.
func names(block string) []string {
	if block == serviceBlock {
		return serviceNames()
	}
	var out []string
	if block == "cluster" {
		out = append(out, "config_file", "config_dir", "mdns")
	}
	for _, k := range keys {
		if k.block == block && k.name != "" {
			out = append(out, k.name)
		}
	}
	return out
}
