package cluster

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// DefaultPort is the port of Serf's gossip, UDP and TCP, where none is given.
const DefaultPort = 7946

// Config says how a Node takes part in a Serf cluster. The keys of Serf's
// agent are found under their own names; the zero value of each field is
// Serf's default unless the field says otherwise.
type Config struct {
	// Name is the node's name, unique in the cluster; empty means the host's
	// name. It matches [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.
	Name string
	// Bind is "addr[:port]" to listen on, UDP and TCP; empty means
	// "0.0.0.0:7946". Port 0 takes a free one.
	Bind string
	// Advertise is "addr[:port]" that the others are told to reach this node
	// at. Empty means Bind's address or, where that is 0.0.0.0, the host's
	// first private address. The port defaults to the one bound.
	Advertise string
	// Interface names a network interface. Its first address that is not
	// link-local is bound; if Bind names an address, it must be one of it.
	Interface string

	// Join lists seeds, "host[:port]"; the port defaults to the one bound.
	// They are tried side by side, for ever, while this node knows nobody
	// alive; one that names this node itself is passed over. A node that has
	// neither seeds nor a snapshot naming others is the cluster's first.
	Join []string
	// Discover names the cluster to look for by multicast DNS on the local
	// network, besides the seeds; empty means none. This node answers others
	// that look for it. Serf's agent does the same and is found, too.
	Discover string
	// MDNS says how.
	MDNS MDNS
	// ReplayOnJoin takes the user events that were sent before the join.
	ReplayOnJoin bool
	// Since is the Lamport time of the last user event that is known from an
	// earlier run; 0 is none, or what the snapshot says. With 0, nothing is
	// heard that was sent before this node first joined, however it joins,
	// unless ReplayOnJoin is set. Otherwise what was sent after Since is
	// heard, and this node's own events come after it.
	Since uint64
	// RetryInterval caps the growing time between two rounds of joining;
	// default 30s.
	RetryInterval time.Duration
	// RetryMax ends Run with an error when the seeds could not be joined for
	// RetryMax times RetryInterval, the time that Serf's agent takes for as
	// many retries. 0 means to try for ever; so does a node that has known
	// others.
	RetryMax int

	// EncryptKey is the gossip's key, 16, 24 or 32 bytes in base64. It is
	// never printed.
	EncryptKey string
	// KeyringFile holds a JSON list of such keys, the first being the one to
	// encrypt with; Serf rewrites it when keys change. It excludes
	// EncryptKey.
	KeyringFile string

	// Tags are gossiped with the name. Encoded they take at most 512 bytes.
	Tags map[string]string
	// TagsFile keeps what SetTags changed, as a JSON object. At start its
	// tags win over Tags. A missing file is an empty one.
	TagsFile string

	// SnapshotPath is Serf's snapshot: the members to rejoin through after a
	// crash, and the events already seen.
	SnapshotPath string
	// RejoinAfterLeave rejoins through the snapshot after a graceful leave
	// too.
	RejoinAfterLeave bool

	// Profile is "lan" (the default), "wan" or "local": the gossip's timing.
	Profile string
	// Protocol is Serf's protocol, 2 to 5; default 5.
	Protocol int
	// DisableCompression sends messages as they are.
	DisableCompression bool
	// DisableCoordinates stops the estimation of round-trip times.
	DisableCoordinates bool
	// DisableNameResolution leaves two nodes of one name to fight it out,
	// instead of a vote that sends the newcomer away.
	DisableNameResolution bool

	// ReconnectInterval, ReconnectTimeout and TombstoneTimeout: how often a
	// failed member is contacted, for how long it is remembered, and for how
	// long one that left is. Defaults 30s, 24h, 24h.
	ReconnectInterval, ReconnectTimeout, TombstoneTimeout time.Duration
	// BroadcastTimeout bounds the wait for a message of our own to go out;
	// default 3s. More than 3.5s counts as 3.5s: a leave takes up to twice
	// this and a second, and must end within eight.
	BroadcastTimeout time.Duration
	// QuerySizeLimit, QueryResponseSizeLimit and UserEventSizeLimit bound
	// what this node sends, in bytes; defaults 1024, 1024, 512.
	QuerySizeLimit, QueryResponseSizeLimit, UserEventSizeLimit int

	// MaxMembers is how many names this node puts up with, itself included;
	// default 20,000. Not a key of Serf's.
	MaxMembers int
	// Reclaim is how long a name must have been dead before it may come back
	// at another address; default 1s. Not a key of Serf's.
	Reclaim time.Duration

	// The profile's timing, piece by piece; 0 leaves it to the profile. Not
	// keys of Serf's.
	ProbeInterval, ProbeTimeout, GossipInterval, PushPullInterval, StreamTimeout time.Duration
	// LeaveDelay is how long a leaving node stays to hear the others take
	// note; default 1s.
	LeaveDelay time.Duration

	// Look is how often the members are looked at without any event; default
	// 1s. It finds what no event tells, like the status leaving.
	Look time.Duration
	// Quiet is how long nothing may change before a fresh membership counts
	// as settled, default 500ms; Settle is when it does so anyhow, counted
	// from the join, default 5s.
	Quiet, Settle time.Duration
	// AddressCheck is how often the node makes sure that the address it
	// advertises is still the host's; default 5s.
	AddressCheck time.Duration
	// Backoff is the first wait after a failed start or round of joining; it
	// doubles up to RetryInterval. Default 1s.
	Backoff time.Duration

	// Logger takes this package's log and Serf's; nil discards them.
	Logger *slog.Logger
}

// withDefaults returns c with every default spelled out.
func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if c.Bind == "" {
		c.Bind = "0.0.0.0"
	}
	if c.Profile == "" {
		c.Profile = "lan"
	}
	if c.Protocol == 0 {
		c.Protocol = int(serf.ProtocolVersionMax)
	}
	if c.MaxMembers == 0 {
		c.MaxMembers = 20_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for field, value := range map[*time.Duration]time.Duration{
		&c.RetryInterval: 30 * time.Second, &c.BroadcastTimeout: 3 * time.Second,
		&c.Reclaim: time.Second, &c.LeaveDelay: time.Second, &c.Look: time.Second,
		&c.Quiet: 500 * time.Millisecond, &c.Settle: 5 * time.Second,
		&c.AddressCheck: 5 * time.Second, &c.Backoff: time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	c.BroadcastTimeout = min(c.BroadcastTimeout, maxBroadcast)
	return c
}

// maxBroadcast keeps a graceful leave, 2*maxBroadcast + LeaveDelay, within
// eight seconds.
const maxBroadcast = 3500 * time.Millisecond

// Validate reports every mistake in c at once, each with its remedy, joined
// as errors.Join does. It reads the keyring file and the tags file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if err := checkName(c.Name); err != nil {
		wrong("cannot use node name %s: %w", quote(c.Name), err)
	}
	if _, _, err := splitAddr(c.Bind, DefaultPort); err != nil {
		wrong("cannot bind to %q: %w", c.Bind, err)
	}
	if c.Advertise != "" {
		if host, _, err := splitAddr(c.Advertise, DefaultPort); err != nil {
			wrong("cannot advertise %q: %w", c.Advertise, err)
		} else if ip := net.ParseIP(host); ip != nil && (ip.IsUnspecified() || ip.IsMulticast()) {
			wrong("cannot advertise %q: the others cannot reach it; name an address of this host", c.Advertise)
		}
	}
	if c.Interface != "" {
		if _, err := net.InterfaceByName(c.Interface); err != nil {
			wrong("cannot use interface %q: %w; `ip link` lists them", c.Interface, err)
		}
	}
	for _, seed := range c.Join {
		if _, _, err := splitAddr(seedAddr(seed), DefaultPort); err != nil {
			wrong("cannot join %q: %w", seed, err)
		}
	}
	if c.Discover != "" {
		if err := checkDiscover(c.Discover); err != nil {
			wrong("cannot discover %q: %w", c.Discover, err)
		}
		if c.MDNS.DisableIPv4 && c.MDNS.DisableIPv6 {
			wrong("cannot discover %q: mdns has both disable_ipv4 and disable_ipv6; leave one out", c.Discover)
		}
	}
	if name := c.MDNS.Interface; name != "" {
		if _, err := net.InterfaceByName(name); err != nil {
			wrong("cannot use mdns interface %q: %w; `ip link` lists them", name, err)
		}
	}
	if _, err := c.keyring(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.startTags(); err != nil {
		errs = append(errs, err)
	}
	switch c.Profile {
	case "lan", "wan", "local":
	default:
		wrong("cannot use profile %q: it is lan, wan or local", c.Profile)
	}
	if c.Protocol < int(serf.ProtocolVersionMin) || c.Protocol > int(serf.ProtocolVersionMax) {
		wrong("cannot speak protocol %d: it is %d to %d", c.Protocol, serf.ProtocolVersionMin, serf.ProtocolVersionMax)
	}
	if c.UserEventSizeLimit > serf.UserEventSizeLimit {
		wrong("cannot send user events of %d bytes: the limit is at most %d", c.UserEventSizeLimit, serf.UserEventSizeLimit)
	}
	if c.RejoinAfterLeave && c.SnapshotPath == "" {
		wrong("cannot rejoin after a leave: rejoin_after_leave needs a snapshot_path")
	}
	for _, f := range c.signed() {
		if f.value < 0 {
			wrong("cannot use %s = %v: it must not be negative", f.name, f.value)
		}
	}
	return errors.Join(errs...)
}

// signed lists the durations and sizes that must not be negative.
func (c Config) signed() []struct {
	name  string
	value time.Duration
} {
	return []struct {
		name  string
		value time.Duration
	}{
		{"retry_interval", c.RetryInterval}, {"reconnect_interval", c.ReconnectInterval},
		{"reconnect_timeout", c.ReconnectTimeout}, {"tombstone_timeout", c.TombstoneTimeout},
		{"broadcast_timeout", c.BroadcastTimeout}, {"probe_interval", c.ProbeInterval},
		{"probe_timeout", c.ProbeTimeout}, {"gossip_interval", c.GossipInterval},
		{"push_pull_interval", c.PushPullInterval}, {"stream_timeout", c.StreamTimeout},
		{"leave_delay", c.LeaveDelay}, {"reclaim", c.Reclaim}, {"look", c.Look}, {"quiet", c.Quiet},
		{"settle", c.Settle}, {"address_check", c.AddressCheck}, {"backoff", c.Backoff},
		{"query_size_limit", time.Duration(c.QuerySizeLimit)},
		{"query_response_size_limit", time.Duration(c.QueryResponseSizeLimit)},
		{"user_event_size_limit", time.Duration(c.UserEventSizeLimit)},
		{"retry_max_attempts", time.Duration(c.RetryMax)},
		{"max_members", time.Duration(c.MaxMembers)},
	}
}

// splitAddr splits "addr[:port]" and checks the port. An IPv6 address with a
// port is bracketed.
func splitAddr(addr string, port int) (host string, p int, err error) {
	if strings.ContainsAny(addr, " \t\r\n/\x00") || addr == "" {
		return "", 0, errors.New("it is no address; write ADDR or ADDR:PORT")
	}
	if ip := net.ParseIP(strings.Trim(addr, "[]")); ip != nil {
		return ip.String(), port, nil
	}
	if !strings.Contains(addr, ":") {
		return addr, port, nil
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%w; write ADDR or ADDR:PORT", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", text)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, int(n), nil
}

// seedAddr strips the node's name from memberlist's "NAME/ADDR".
func seedAddr(seed string) string {
	if i := strings.IndexByte(seed, '/'); i > 0 {
		return seed[i+1:]
	}
	return seed
}

// decodeKey decodes one gossip key.
func decodeKey(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("it is not base64; make one with `muster keygen`")
	}
	if memberlist.ValidateKey(key) != nil {
		return nil, fmt.Errorf("it decodes to %d bytes instead of 16, 24 or 32; make one with `muster keygen`", len(key))
	}
	return key, nil
}
