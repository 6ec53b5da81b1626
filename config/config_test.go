package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rules"
)

// testdata is where the files lie, as absolute paths in a Config are.
func testdata(t *testing.T, elem ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"testdata"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFull(t *testing.T) {
	// A checkout's mode may be any.
	if err := os.Chmod("testdata/trusted.pub", 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(Flags{Config: "testdata/full.hcl"})
	want := Config{
		Cluster: cluster.Config{
			Name: "web1", Bind: "127.0.0.1:17946", Advertise: "127.0.0.2:17946", Interface: "lo",
			Join:          []string{"127.0.0.9", "127.0.0.8", "127.0.0.3", "127.0.0.4:17946", "seed.example"},
			RetryInterval: 10 * time.Second, RetryMax: 7, ReplayOnJoin: true,
			Discover: "home", MDNS: cluster.MDNS{Interface: "lo", DisableIPv6: true},
			EncryptKey: "c2l4dGVlbiBieXRlcyBoZQ==",
			Tags: map[string]string{
				"role": "web,db", "weight": "5", "spare": "false", "odd name": "2",
				"datacenter": "west", "price": "${not a template}",
			},
			TagsFile: testdata(t, "state/tags.json"), SnapshotPath: "/var/lib/muster/snapshot",
			RejoinAfterLeave: true, Profile: "local", Protocol: 4,
			DisableCompression: true, DisableCoordinates: true, DisableNameResolution: true,
			ReconnectInterval: 31 * time.Second, ReconnectTimeout: 25 * time.Hour,
			TombstoneTimeout: 26 * time.Hour, BroadcastTimeout: 2 * time.Second,
			UserEventSizeLimit: 600, QuerySizeLimit: 1100, QueryResponseSizeLimit: 1200,
		},
		Leave: Leave{OnInterrupt: false, OnTerminate: false},
		RPC:   RPC{Addr: "unix:" + testdata(t, "rpc.sock"), AuthKey: "open sesame", Explicit: true},
		Handlers: []rules.Handler{
			{On: []rules.EventFilter{{Type: "*"}}, Script: "env | grep SERF", Line: "env | grep SERF"},
			{On: []rules.EventFilter{{Type: "member-join"}, {Type: "user", Name: "deploy"}}, Script: "deploy.sh --all",
				Line: "member-join,user:deploy=deploy.sh --all"},
		},
		HandlersDir: testdata(t, "handlers"), HandlerTimeout: 45 * time.Second,
		TrustedKeys: testdata(t, "trusted.pub"), EventMaxAge: 90 * time.Second, InsecureGossip: true,
		Telemetry: Telemetry{Statsd: "127.0.0.1:8125", Statsite: "localhost:8126"},
		Cloud:     "guifi",
		Services: []Service{
			{Name: "shop", Type: "web", Description: "The shop", Port: 8080, Text: "path=/ tls=1", Device: "eth0", IP: "192.0.2.7",
				Check: []string{"curl", "-fsS", "http://127.0.0.1:8080/"}, User: "nobody", Interval: 20 * time.Second, Timeout: 3 * time.Second, Failures: 2, Passes: 4},
			{Name: "dns", Type: "dns", Port: 53, Interval: 10 * time.Second, Timeout: 5 * time.Second, Failures: 3, Passes: 1},
		},
		Rules: Rules{Dir: testdata(t, "rules"), Resync: 90 * time.Second},
		Nodes: Nodes{Every: 2 * time.Second, Threshold: 12, RootFS: "/host"},
		HTTP: HTTP{
			Socket: "/run/muster/api.sock", Mode: 0o600, Group: "adm",
			Address: "127.0.0.1:8080", Hosts: []string{"muster.example.org", "pi"}, Read: ReadOpen,
			TokenFile: testdata(t, "token"), ReadTokenFile: "/etc/muster/read-token", TLSCert: testdata(t, "http.crt"), TLSKey: testdata(t, "http.key"),
		},
		Log:   Log{Level: slog.LevelDebug, Format: "json", Syslog: Syslog{Enabled: true, Facility: "daemon"}},
		State: State{Dir: filepath.Join(filepath.Dir(testdata(t)), "state")},
		Files: []string{"testdata/full.hcl", "testdata/serf/10-base.json", "testdata/serf/20-more.json"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if problems.HasErrors() {
		t.Error(problems)
	}
}

// Every key that there is stands in full.hcl, so that TestLoadFull covers all.
func TestFullIsFull(t *testing.T) {
	text, err := os.ReadFile("testdata/full.hcl")
	if err != nil {
		t.Fatal(err)
	}
	exempt := []string{"config_file", "keyring_file", "role", "validate_node_names", "msgpackusenewtimeformat", "attach"}
	for _, block := range append(blocks, mdnsBlock) {
		for _, name := range names(block) {
			if !regexp.MustCompile(`(?m)^ +`+name+` `).Match(text) && !slices.Contains(exempt, name) {
				t.Errorf("%s.%s is not in full.hcl", block, name)
			}
		}
	}
}

func TestLoadNothing(t *testing.T) {
	l := loader{sources: map[string][]byte{}}
	l.muster(filepath.Join(t.TempDir(), "muster.hcl"), false)
	c, problems := l.finish()
	if diff := cmp.Diff(Default(), c); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v, config (-want +got):\n%s", problems, diff)
	}
	_, problems = Load(Flags{Config: filepath.Join(t.TempDir(), "absent.hcl")})
	if !problems.HasErrors() || !strings.Contains(problems.Error(), "no such file or directory") {
		t.Errorf("an absent file that was asked for: %v", problems)
	}
}

func TestLoadDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "20.hcl", "cluster {\n  node_name = \"second\"\n}\nstate {\n  dir = \"s\"\n}\n")
	write(t, dir, "10.hcl", "cluster {\n  node_name = \"first\"\n  bind = \"127.0.0.1\"\n}\n")
	write(t, dir, "30.hcl.bak", "not { hcl")
	write(t, dir, ".40.hcl", "not { hcl")
	c, problems := Load(Flags{Config: dir})
	want := Default()
	want.Cluster.Name, want.Cluster.Bind = "second", "127.0.0.1"
	want.State.Dir = filepath.Join(dir, "s")
	want.Files = []string{filepath.Join(dir, "10.hcl"), filepath.Join(dir, "20.hcl")}
	if diff := cmp.Diff(want, c); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v, config (-want +got):\n%s", problems, diff)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An agent that is attached to another serves no RPC of Serf's, and what is
// wrong with a node of its own is not asked.
func TestAttach(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "muster.hcl", `cluster {
  attach    = "unix:serf.sock"
  rpc_auth  = "sesame"
  rpc_addr  = "127.0.0.1:7373"
  node_name = "a b"
}
`)
	c, problems := Load(Flags{Config: file})
	want := Default()
	want.Attach, want.RPC, want.Cluster.Name = "unix:"+filepath.Join(dir, "serf.sock"), RPC{Addr: Off, AuthKey: "sesame"}, "a b"
	want.Files = []string{file}
	if diff := cmp.Diff(want, c); diff != "" || problems.HasErrors() || len(problems) != 2 {
		t.Errorf("problems %v, config (-want +got):\n%s", problems, diff)
	}
}

func TestRPCOff(t *testing.T) {
	f, err := parseFlags("--config", t.TempDir(), "--rpc-addr", "off")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := Load(f)
	if want := (RPC{Addr: Off, Explicit: true}); c.RPC != want || len(problems) > 0 {
		t.Errorf("%+v, %v", c.RPC, problems)
	}
}

// Only loopback and Unix sockets may do without a key.
func TestOpenRPC(t *testing.T) {
	for addr, want := range map[string]bool{
		"0.0.0.0:7373": true, ":7373": true, "[::]:7373": true, "192.0.2.1:7373": true, "[2001:db8::1]:7373": true,
		"127.0.0.1:7373": false, "127.3.2.1:1": false, "[::1]:7373": false, "localhost:7373": false, "/run/x.sock": false, "unix:/run/x:1": false,
	} {
		if err := checkRPC(addr); err != nil || open(addr) != want {
			t.Errorf("%s: open %v, %v", addr, open(addr), err)
		}
		c := Default()
		c.RPC.Addr = addr
		if errs := c.mistakes(); len(errs) > 0 != want {
			t.Errorf("%s: %v", addr, errs)
		}
		c.RPC.AuthKey = "sesame"
		if errs := c.mistakes(); len(errs) > 0 {
			t.Errorf("%s with a key: %v", addr, errs)
		}
	}
	for _, addr := range []string{"7373", "localhost", "a b:1", "a:b", "a:99999", "unix:rel", ""} {
		if checkRPC(addr) == nil {
			t.Errorf("%q is an address", addr)
		}
	}
}

func TestReadableKeys(t *testing.T) {
	const key = "c2l4dGVlbiBieXRlcyBoZQ=="
	dir := t.TempDir()
	hcl := write(t, dir, "muster.hcl", "cluster {\n  encrypt_key = \""+key+"\"\n}\n")
	serf := write(t, dir, "serf.json", `{"encrypt_key": "`+key+`"}`)
	ring := write(t, dir, "keyring", `["`+key+`"]`)
	tests := []struct {
		name, file string
		flags      Flags
		want       string
	}{
		{"in muster.hcl", hcl, Flags{Config: hcl}, "everyone on this machine can read this key"},
		{"in Serf's JSON", serf, Flags{Config: dir, SerfFiles: []string{serf}}, "everyone on this machine can read this key"},
		{"in a keyring", ring, Flags{Config: write(t, t.TempDir(), "k.hcl", "cluster {\n  keyring_file = \""+ring+"\"\n}\n")}, "everyone on this machine can read the keys in keyring_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, problems := Load(tt.flags); len(problems) > 0 {
				t.Errorf("mode 0600: %v", problems)
			}
			if err := os.Chmod(tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(tt.file, 0o600) })
			_, problems := Load(tt.flags)
			if len(problems) != 1 || problems[0].Severity != rules.Warning || problems[0].File != tt.file || problems[0].Summary != tt.want {
				t.Errorf("mode 0644: %+v", problems)
			}
			var out strings.Builder
			if err := problems.Print(&out, false); err != nil || strings.Contains(out.String(), key) {
				t.Errorf("the key is shown, or %v:\n%s", err, out.String())
			}
		})
	}
}
