package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"muster/cluster"
	"muster/rules"
)

func parseFlags(args ...string) (Flags, error) {
	var f Flags
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	f.Add(fs)
	return f, fs.Parse(args)
}

func TestFlagsWinOverFiles(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "muster.hcl", `cluster {
  node_name  = "file"
  profile    = "wan"
  start_join = ["127.0.0.2"]
  tags       = { role = "file", zone = "a" }
}
log { level = "debug" }
`)
	serf := write(t, dir, "serf.json", `{"node_name": "json", "profile": "local", "tags": {"rack": "7"}, "leave_on_terminate": false}`)
	t.Chdir(dir)
	f, err := parseFlags("--config", file, "--config-file", serf, "--node", "flag", "--bind=127.0.0.1:0",
		"--join", "127.0.0.3", "--join", "127.0.0.4", "--retry-join", "127.0.0.5", "--tag", "role=flag", "--tag", "k=v=w",
		"--iface", "lo", "--replay", "--snapshot", "snap", "--rejoin", "--protocol", "3", "--disable-compression",
		"--retry-interval", "7s", "--log-level", "WARN", "--log-format", "json",
		"--rules", "r", "--state", "/s", "--socket", "sock", "--rpc-addr", "unix:rpc", "--discover", "x", "--mdns-iface=lo",
		"--mdns-disable-ipv4", "--retry-max", "3", "--syslog", "--event-handler", "user=a", "--event-handler", "b", "--insecure-gossip")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := Load(f)
	want := Default()
	want.Cluster.Name, want.Cluster.Profile, want.Cluster.Bind, want.Cluster.Interface = "flag", "local", "127.0.0.1:0", "lo"
	want.Cluster.Join = []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}
	want.Cluster.Tags = map[string]string{"role": "flag", "zone": "a", "rack": "7", "k": "v=w"}
	want.Cluster.ReplayOnJoin, want.Cluster.RejoinAfterLeave, want.Cluster.DisableCompression = true, true, true
	want.Cluster.SnapshotPath, want.Cluster.Protocol, want.Cluster.RetryInterval = filepath.Join(dir, "snap"), 3, 7*time.Second
	want.Leave.OnTerminate = false
	want.RPC = RPC{Addr: "unix:" + filepath.Join(dir, "rpc"), Explicit: true}
	want.Cluster.Discover, want.Cluster.MDNS = "x", cluster.MDNS{Interface: "lo", DisableIPv4: true}
	want.Cluster.RetryMax, want.Log.Syslog.Enabled, want.InsecureGossip = 3, true, true
	want.Handlers = []rules.Handler{
		{On: []rules.EventFilter{{Type: "user"}}, Script: "a", Line: "user=a"},
		{On: []rules.EventFilter{{Type: "*"}}, Script: "b", Line: "b"},
	}
	want.Log = Log{Level: slog.LevelWarn, Format: "json", Syslog: want.Log.Syslog}
	want.Rules.Dir, want.State.Dir, want.HTTP.Socket = filepath.Join(dir, "r"), "/s", filepath.Join(dir, "sock")
	want.Files = []string{file, serf}
	if diff := cmp.Diff(want, c); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v, config (-want +got):\n%s", problems, diff)
	}
}

func TestFlagMistakes(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--tag", "role"}, `"role" is no tag: write KEY=VALUE`},
		{[]string{"--protocol", "five"}, "five is not a whole number, or too large"},
		{[]string{"--retry-interval", "5"}, `"5" is no duration: write a number and its unit, as in "30s" or "5m"`},
		{[]string{"--log-level", "warm"}, `there is no "warm"; did you mean "warn"?`},
		{[]string{"--replay=maybe"}, `"maybe" is neither true nor false`},
		{[]string{"--event-handler", "user:deploy="}, `cannot read the event handler "user:deploy=": there is no script; write FILTER=SCRIPT`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			_, err := parseFlags(tt.args...)
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant …%s", err, tt.want)
			}
		})
	}
}

// What only the whole configuration tells is blamed on its flag.
func TestFlagsAreBlamed(t *testing.T) {
	f, err := parseFlags("--config", t.TempDir(), "--profile", "lam", "--log-format", "yaml", "--join", "127.0.0.1", "--join", "a b", "--rejoin",
		"--rpc-addr", "0.0.0.0:7373")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := Load(f)
	want := []string{
		`--join: cannot join "a b": it is no address; write ADDR or ADDR:PORT`,
		`--profile: cannot use profile "lam": it is lan, wan or local`,
		`--rejoin: cannot rejoin after a leave: rejoin_after_leave needs a snapshot_path`,
		`--rpc-addr: cannot serve the RPC at 0.0.0.0:7373: anybody could command this agent; set rpc_auth, or use 127.0.0.1 or unix:PATH`,
		`--log-format: cannot log in this format: there is no "yaml"; it is one of text, json`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), problems.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// The documentation and the sample name every key and flag.
func TestEverythingIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("../install/muster.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.name != "" && !strings.Contains(string(docs), "`"+k.name+"`") {
			t.Errorf("docs/configuration.md lacks `%s`", k.name)
		}
		if k.flag != "" && k.usage != "" && !strings.Contains(string(docs), "`--"+k.flag) {
			t.Errorf("docs/configuration.md lacks `--%s`", k.flag)
		}
		if k.name != "" && k.warning == "" && !strings.Contains(string(sample), k.name+" ") {
			t.Errorf("install/muster.hcl lacks %s", k.name)
		}
	}
}
