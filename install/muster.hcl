# muster's configuration, /etc/muster/muster.hcl.
#
# Every key is here. Those commented out show the default, or an example where
# there is none. `muster agent` takes most of them as flags too; a flag wins.
# All values are constants. Durations are written "500ms", "30s", "5m", "24h".
# A relative path counts from the directory of this file.

# This node's part in the Serf cluster. The keys are those of Serf's agent.
cluster {
  # Serf's own JSON files, read before what this block says: one path, or a
  # list of them. Of a directory every *.json is read, in the order of names.
  # config_file = "/etc/serf/agent.json"
  # config_dir = "/etc/serf/conf.d"

  # The name of this node, unique in the cluster. Default: the host's name. With
  # "auto" it is that and something of this machine alone: machines made from one
  # image can all have this file as it is.
  # node_name = "web1"

  # "ADDR" or "ADDR:PORT" to listen on, UDP and TCP.
  # bind = "0.0.0.0:7946"

  # "ADDR" or "ADDR:PORT" that the other members are told to use. Default: what
  # is bound or, with 0.0.0.0, this host's first private address.
  # advertise = "10.0.0.1"

  # A network interface whose address to listen on, instead of naming it.
  # interface = "eth0"

  # Follow a Serf agent that already runs, through its RPC, instead of joining
  # the cluster: what is said here about this node then has no effect, and
  # rpc_auth is what that agent wants to hear.
  # attach = "127.0.0.1:7373"

  # Members to join through. One that answers is enough; while this node is
  # alone they are tried again and again. retry_join means the same.
  # start_join = ["10.0.0.1", "10.0.0.2:7946"]
  # retry_join = ["10.0.0.3"]

  # The longest time between two rounds of joining.
  # retry_interval = "30s"

  # Give up, and end the agent, when nobody could be joined for this many times
  # retry_interval. 0 means never; so does having known others.
  # retry_max_attempts = 0

  # Find the others by multicast DNS, under a name that they share, and on which
  # network: interface = "eth0", by default the one above.
  # discover = "home"
  # mdns = { disable_ipv4 = false, disable_ipv6 = false }

  # Take the user events that were sent before this node joined.
  # replay_on_join = false

  # Encrypt the gossip: 16, 24 or 32 bytes in base64, the same on every member.
  #   muster keygen
  # With a key in it this file must not be readable by everyone; a keyring
  # file, mode 0600, is the better place: a JSON list of keys, of which the
  # first encrypts. Only one of the two may be set.
  # encrypt_key = "cg8StVXbQJ0gPvMd9o7yrg=="
  # keyring_file = "/etc/muster/keyring.json"

  # What this node tells the others about itself. A list is joined with commas.
  # Together, names and values take at most 512 bytes.
  # tags = { role = "web", weight = 5 }

  # Keeps tags that are changed at run time. What it holds wins over `tags`.
  # tags_file = "/var/lib/muster/tags.json"

  # Keeps the known members, to rejoin through them after a crash or reboot.
  # snapshot_path = "/var/lib/muster/snapshot"

  # Rejoin through the snapshot after a graceful leave too.
  # rejoin_after_leave = false

  # The gossip's timing: "lan", "wan" or "local".
  # profile = "lan"

  # Serf's protocol, 2 to 5.
  # protocol = 5

  # Leave gracefully on SIGTERM, and not skip that on SIGINT. A node that goes
  # without leaving is seen as failed. (Serf's own default for the first is false.)
  # leave_on_terminate = true
  # skip_leave_on_interrupt = false

  # Compress messages. All members understand both.
  # enable_compression = true

  # Do not estimate round-trip times.
  # disable_coordinates = false

  # Let two nodes of one name fight it out, instead of a vote that sends the
  # newcomer away.
  # disable_name_resolution = false

  # How often a failed member is contacted, for how long it is remembered, and
  # for how long one that left is.
  # reconnect_interval = "30s"
  # reconnect_timeout = "24h"
  # tombstone_timeout = "24h"

  # The longest time for a message of our own to go out; at most 3.5s.
  # broadcast_timeout = "3s"

  # The most bytes that this node sends in one user event (at most 9216), one
  # query and one response.
  # user_event_size_limit = 512
  # query_size_limit = 1024
  # query_response_size_limit = 1024

  # Where Serf's RPC is served, for `serf` and its clients: "ADDR:PORT",
  # "unix:PATH" or "off". Where others than this machine can reach it, clients
  # must know rpc_auth. With that in it this file must not be readable by all.
  # rpc_addr = "127.0.0.1:7373"
  # rpc_auth = "sesame"

  # Shell lines that run when events occur, as Serf runs them, and a directory
  # of executable NAME.sh, each of which the user event NAME runs; and after
  # which time one of them is ended. See docs/acting.md.
  # event_handlers = ["member-join,member-failed=roll.sh", "user:deploy=deploy.sh"]
  # handlers_dir = "/etc/muster/handlers.d"
  # handler_timeout = "30s"

  # The public keys of those who may sign events: a file, or a directory of
  # *.pub. Default: /etc/muster/trusted_keys, if there is one. And how old a
  # signed event may be.
  # trusted_keys = "/etc/muster/trusted_keys"
  # event_max_age = "5m"

  # Let rules act on events although the gossip is not encrypted, so that
  # anybody in the network can forge them.
  # insecure_gossip = false

  # Where Serf's measurements go, to a statsd by UDP, to a statsite by TCP.
  # statsd_addr = "127.0.0.1:8125"
  # statsite_addr = "127.0.0.1:8125"

  # Send the log to syslog, too.
  # enable_syslog = false
  # syslog_facility = "LOCAL0"

  # Serf's name for log.level; "TRACE" and "ERR" are understood.
  # log_level = "info"
}

# The rules: every *.hcl and *.hcl.json in a directory.
rules {
  # dir = "/etc/muster/rules.d"

  # How often all files are looked at again without any reason.
  # resync = "60s"
}

# How busy the nodes are, and how late with saying so. They are asked only while
# somebody looks: muster nodes, or the page.
nodes {
  # The time between two questions, from "1s" to "1m".
  # every = "5s"

  # From which φ on a node is suspected: one whose silence is so odd that it
  # happens by chance once in 10 to the power of φ times. Only shown; no rule
  # hangs on it.
  # threshold = 8

  # Below which directory /proc and /sys of the machine are, for an agent in a
  # container that has them elsewhere.
  # rootfs = "/"
}

# The API: a Unix socket, which the other muster commands use, and HTTP.
http {
  # socket = "/run/muster/api.sock"

  # Who may use it: the owner and the group may, by default.
  # mode = "0660"

  # The owning group, by name or number. Default: the agent's own.
  # group = "root"

  # Serve the API, /metrics and /healthz at a TCP address, too. Default: no.
  # address = "127.0.0.1:8080"

  # Names by which clients may call it, besides localhost and its addresses.
  # hosts = ["muster.example.org"]

  # Who may read there the members, rules, files and plans: who has a token, or
  # with "open" whoever reaches the address. Nothing is changed without a token.
  # read = "token"

  # The tokens. The agent makes them when they are not there. Default: token
  # and read-token in the state directory.
  # token_file = "/var/lib/muster/token"
  # read_token_file = "/var/lib/muster/read-token"

  # A certificate and its key, in PEM: HTTPS instead of HTTP.
  # tls_cert = "/etc/muster/http.crt"
  # tls_key = "/etc/muster/http.key"
}

log {
  # "debug", "info", "warn" or "error".
  # level = "info"

  # "text" or "json".
  # format = "text"
}

# What this node publishes: see docs/services.md. CLOUD in HOST.CLOUD.local;
# without it the name to discover, where there is one.
services {
  # cloud = "cloud"
}

# A service, while its check passes.
# service "web" {
#   port        = 80
#   description = "The shop"
#   check       = ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:80/"]
#   interval    = "10s"
#   timeout     = "5s"
#   failures    = 3
# }

# Where the agent keeps its journal: what it wrote and which reloads are owed.
state {
  # dir = "/var/lib/muster"
}
