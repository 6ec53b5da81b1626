package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/config"
)

func TestBanner(t *testing.T) {
	c := config.Default()
	c.HTTP.Socket = "/run/muster/api.sock"
	short := c
	c.Cluster = cluster.Config{
		Bind: "127.0.0.1:0", Advertise: "192.0.2.1", SnapshotPath: "/snap", Profile: "wan", DisableCompression: true, Discover: "home",
	}
	c.Rules.Dir = "/etc/ru\nles"
	attached := short
	attached.Attach = "127.0.0.1:7373"
	tests := []struct {
		name string
		b    banner
		want string
	}{
		{"all", newBanner(c, cluster.Info{Name: "web1", Bind: "127.0.0.1:0", Advertise: "192.0.2.1", Encrypted: true}, []string{"/run/muster/rpc.sock", "127.0.0.1:7373"}, "http://127.0.0.1:8080/"),
			`==> Starting muster agent...
                      Node name: 'web1'
                      Bind addr: '127.0.0.1:0'
                 Advertise addr: '192.0.2.1:7946'
                       RPC addr: '/run/muster/rpc.sock', '127.0.0.1:7373'
                      Encrypted: true
                       Snapshot: true
                        Profile: wan
    Message Compression Enabled: false
                   mDNS cluster: home
                      Rules dir: "'/etc/ru\nles'"
                     API socket: '/run/muster/api.sock'
                           HTTP: 'http://127.0.0.1:8080/'

==> Log data will now stream in as it occurs:

`},
		{"told nothing", newBanner(short, cluster.Info{Name: "web1"}, []string{"127.0.0.1:7373"}, ""),
			`==> Starting muster agent...
                      Node name: 'web1'
                      Bind addr: '0.0.0.0:7946'
                       RPC addr: '127.0.0.1:7373'
                      Encrypted: false
                       Snapshot: false
                        Profile: lan
    Message Compression Enabled: true
                      Rules dir: '/etc/muster/rules.d'
                     API socket: '/run/muster/api.sock'

==> Log data will now stream in as it occurs:

`},
		{"attached", newBanner(attached, cluster.Info{Name: "web1"}, nil, ""),
			`==> Starting muster agent...
                      Node name: 'web1'
                    Attached to: '127.0.0.1:7373'
                      Rules dir: '/etc/muster/rules.d'
                     API socket: '/run/muster/api.sock'

==> Log data will now stream in as it occurs:

`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.b.String()); diff != "" {
				t.Errorf("banner (-want +got):\n%s", diff)
			}
		})
	}
	if got := withPort("::1"); got != "[::1]:7946" {
		t.Error(got)
	}
}
