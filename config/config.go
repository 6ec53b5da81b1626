// Package config reads what an agent is told at its start: muster.hcl, Serf's
// own JSON files, and flags. It finds every mistake at once and says where it
// is, and hands out plain values.
//
// What is wrong with a cluster setting is package cluster's to say, how a
// mistake is shown package rules'; to act on any of it is the caller's.
package config

import (
	"cmp"
	"io/fs"
	"log/slog"
	"time"

	"muster/cluster"
	"muster/rules"
)

// Where things are unless the configuration says otherwise.
const (
	DefaultPath        = "/etc/muster/muster.hcl"
	DefaultRulesDir    = "/etc/muster/rules.d"
	DefaultStateDir    = "/var/lib/muster"
	DefaultTrustedKeys = "/etc/muster/trusted_keys"
	DefaultRPCAddr     = "127.0.0.1:7373" // Serf's
)

// Off, as RPC.Addr, serves no RPC there; as the address of http, no HTTP.
const Off = "off"

// A Config is all that an agent is told. Its paths are absolute.
type Config struct {
	Cluster cluster.Config
	// Attach is the address of a Serf agent's RPC: this agent follows that one
	// instead of joining the cluster itself, and Cluster and Leave mean
	// nothing. RPC.AuthKey is what that agent wants to hear. Empty: it joins.
	Attach string
	Leave  Leave
	RPC    RPC
	// Handlers are Serf's event_handlers, in order.
	Handlers []rules.Handler
	// HandlersDir holds executable NAME.sh for user events NAME; empty: none.
	HandlersDir string
	// HandlerTimeout bounds each run of these; default 30 s.
	HandlerTimeout time.Duration
	// TrustedKeys is a file of public keys or a directory of *.pub; default
	// DefaultTrustedKeys if it exists, else empty: no key is trusted.
	TrustedKeys string
	// EventMaxAge is how old a signed event may be; default 5 min.
	EventMaxAge time.Duration
	// InsecureGossip lets rules act although anyone in the network can forge
	// what they act on.
	InsecureGossip bool

	// Cloud is what services { cloud } says; see CloudName.
	Cloud string
	// Services are those that this node publishes, in order.
	Services []Service

	Rules     Rules
	Nodes     Nodes
	HTTP      HTTP
	Log       Log
	Telemetry Telemetry
	State     State
	// Files lists what was read, in order; none when the defaults serve.
	Files []string
}

// Leave says which signals end the agent with a graceful leave. Without one
// the other members see a failure.
type Leave struct {
	OnInterrupt bool // SIGINT; default true
	OnTerminate bool // SIGTERM; default true, where Serf's is false
}

// RPC says where Serf's RPC is served, for Serf's own commands and clients.
type RPC struct {
	// Addr is "host:port", "unix:PATH", "/path" or Off; default
	// DefaultRPCAddr, with Attach Off.
	Addr    string
	AuthKey string // what clients have to say; empty: nothing. Never printed.
	// Explicit is whether Addr was asked for: a default that cannot be had,
	// as beside a Serf agent, is no reason not to start.
	Explicit bool
}

// Telemetry says where Serf's measurements go; empty: nowhere.
type Telemetry struct {
	Statsd, Statsite string // "host:port", UDP and TCP
}

// Rules says where the rules are.
type Rules struct {
	Dir    string        // directory of *.hcl and *.hcl.json; default DefaultRulesDir
	Resync time.Duration // how often to look again without a reason; default 60 s
}

// Nodes says how nodes are asked how busy they are, while somebody looks.
type Nodes struct {
	Every     time.Duration // between two rounds of questions, 1 s to 1 min; default 5 s
	Threshold int           // the φ from which a node is suspected, 1 to 100; default 8
	RootFS    string        // below which /proc and /sys of the machine are; default "/"
}

// HTTP says where the API listens.
type HTTP struct {
	Socket string      // path of the Unix socket; empty: the caller's default
	Mode   fs.FileMode // of the socket; default 0660
	Group  string      // owning group, by name or number; empty: the agent's own

	// Address is "host:port" to listen on besides; empty: none.
	Address string
	Hosts   []string // names that clients may call it by, besides localhost and its addresses
	// Read says who may read there what is not for everybody: ReadToken
	// (default), or with ReadOpen whoever reaches it.
	Read          string
	TokenFile     string // of the token that changes need; default "token" in State.Dir
	ReadTokenFile string // of the one that reading needs; default "read-token" in State.Dir
	TLSCert       string // PEM, with TLSKey; empty: HTTP in the clear
	TLSKey        string // PEM
}

// The values of HTTP.Read.
const (
	ReadToken = "token"
	ReadOpen  = "open"
)

// Log says what is logged, and how.
type Log struct {
	Level  slog.Level // default info
	Format string     // "text" (default) or "json"
	Syslog Syslog
}

// Syslog says whether the log goes to the local syslog, too.
type Syslog struct {
	Enabled  bool
	Facility string // default "LOCAL0"
}

// State says where the agent keeps its journal.
type State struct {
	Dir string // default DefaultStateDir
}

// Default returns the configuration of an agent that was told nothing.
func Default() Config {
	return Config{
		Leave:          Leave{OnInterrupt: true, OnTerminate: true},
		RPC:            RPC{Addr: DefaultRPCAddr},
		HandlerTimeout: 30 * time.Second, EventMaxAge: 5 * time.Minute,
		Rules: Rules{Dir: DefaultRulesDir, Resync: time.Minute},
		Nodes: Nodes{Every: 5 * time.Second, Threshold: 8, RootFS: "/"},
		HTTP:  HTTP{Mode: 0o660, Read: ReadToken},
		Log:   Log{Level: slog.LevelInfo, Format: "text", Syslog: Syslog{Facility: "LOCAL0"}},
		State: State{Dir: DefaultStateDir},
	}
}

// Load reads the configuration: muster.hcl with the Serf files that its
// cluster block names, then the Serf files given as flags, then the flags.
// What comes later wins; lists of addresses grow and tags merge, as in Serf.
//
// An absent file at DefaultPath is no mistake when no other was asked for.
// With warnings alone among the problems the Config is good to use.
func Load(f Flags) (Config, rules.Problems) {
	l := loader{sources: map[string][]byte{}}
	if f.Config == "" && f.says("rules", "dir") {
		l.foreign = DefaultPath
	}
	l.muster(cmp.Or(f.Config, DefaultPath), f.Config != "")
	for _, path := range f.SerfFiles {
		l.serf(path)
	}
	l.settings = append(l.settings, f.settings...)
	return l.finish()
}
