package cluster

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/mdns"
)

// Anybody on the wire can answer: what is no member's address of this cluster
// is passed over.
func TestDiscoveredAddresses(t *testing.T) {
	own := netip.MustParseAddrPort("10.0.0.1:7946")
	in := &incarnation{c: Config{Discover: "farm"}, advertise: own, bound: own, port: 7946}
	for _, c := range []struct {
		name, v4, v6 string
		port         int
		want         string
	}{
		{"b._serf_farm._tcp.local.", "10.0.0.2", "", 7946, "10.0.0.2:7946"},
		{"b._SERF_Farm._tcp.local.", "10.0.0.2", "", 7946, "10.0.0.2:7946"},
		{"b.x._serf_farm._tcp.local.", "10.0.0.2", "fd00::2", 1, "10.0.0.2:1"},
		{"b._serf_farm._tcp.local.", "", "fd00::2", 7946, "[fd00::2]:7946"},
		{"b._serf_farm._tcp.local.", "", "fe80::2", 7946, ""}, // gossip has no zones
		{"b._serf_farm2._tcp.local.", "10.0.0.2", "", 7946, ""},
		{"b._ipp._tcp.local.", "10.0.0.2", "", 7946, ""},
		{"b._serf_farm._tcp.local.evil.", "10.0.0.2", "", 7946, ""},
		{"b._serf_farm._tcp.local.", "10.0.0.2", "", 0, ""},
		{"b._serf_farm._tcp.local.", "10.0.0.2", "", 65536 + 7946, ""},
		{"b._serf_farm._tcp.local.", "10.0.0.1", "", 7946, ""}, // itself
		{"b._serf_farm._tcp.local.", "127.0.0.1", "", 7946, ""},
		{"b._serf_farm._tcp.local.", "224.0.0.1", "", 7946, ""},
		{"b._serf_farm._tcp.local.", "0.0.0.0", "", 7946, ""},
		{"b._serf_farm._tcp.local.", "", "", 7946, ""},
	} {
		e := &mdns.ServiceEntry{Name: c.name, Port: c.port, AddrV4: net.ParseIP(c.v4)}
		if c.v6 != "" {
			e.AddrV6IPAddr = &net.IPAddr{IP: net.ParseIP(c.v6), Zone: "eth0"}
		}
		addr, ok := in.candidate(e)
		if got := addr.String(); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s at %s%s port %d: %s, %v; want %q", c.name, c.v4, c.v6, c.port, got, ok, c.want)
		}
	}
}

func TestDiscoverNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"farm": true, "my-farm_2": true, "my.farm": true, strings.Repeat("x", 57): true,
		strings.Repeat("x", 58): false, "my farm": false, "a..b": false, "a.": false, "é": false, `a\032b`: false,
	} {
		if err := checkDiscover(name); (err == nil) != valid {
			t.Errorf("%q: %v", name, err)
		}
	}
	long := strings.Repeat("x", 100)
	for name, want := range map[string]string{"web1": "web1", "web1.example.org": "web1.example.org", "web1.": "web1--"} {
		if got := instanceName(name); !strings.HasPrefix(got, want) {
			t.Errorf("%q is announced as %q", name, got)
		}
	}
	if a, b := instanceName(long+"a"), instanceName(long+"b"); a == b || len(a) > maxLabel {
		t.Errorf("long names are announced as %q and %q", a, b)
	}
}

// What was found is there to join; once joined through only when alone.
func TestDiscovery(t *testing.T) {
	in := &incarnation{wanted: make(chan struct{}, 1), bridging: make(chan struct{}, 1)}
	in.met(nil)
	if len(in.wanted)+len(in.bridging) != 0 {
		t.Error("nobody is reason to join")
	}
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:1")
	in.met([]netip.AddrPort{a, b})
	in.discovery.joinedThrough(a.String())
	in.discovery.joinedThrough("seed.example.org:7946")
	in.discovery.joinedThrough("10.0.0.3:1")
	if got := in.discovered(true); len(got) != 1 || got[0] != b {
		t.Errorf("fresh: %v", got)
	}
	if got := in.discovered(false); len(got) != 2 {
		t.Errorf("all: %v", got)
	}
	if len(in.wanted) != 1 || len(in.bridging) != 1 || len(in.discovery.joined) != 1 {
		t.Error("nobody hears of it")
	}
}
