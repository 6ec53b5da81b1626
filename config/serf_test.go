package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	stock "github.com/hashicorp/serf/cmd/serf/command/agent"
	"github.com/spf13/pflag"

	"muster/cluster"
	"muster/rules"
)

// stockKeys returns the keys of the JSON that a struct of Serf's is read from.
func stockKeys(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		switch tag := f.Tag.Get("mapstructure"); tag {
		case "-":
		case "":
			out = append(out, strings.ToLower(f.Name))
		default:
			out = append(out, tag)
		}
	}
	return out
}

// Every key that Serf's agent reads is one of ours.
func TestTakesSerfsKeys(t *testing.T) {
	all := stockKeys(reflect.TypeFor[stock.Config]())
	if len(all) < 40 {
		t.Fatalf("Serf has only %d keys: %q", len(all), all)
	}
	for _, name := range all {
		if !slices.Contains(names("cluster"), name) {
			t.Errorf("no key %s in cluster", name)
		}
	}
	for _, name := range stockKeys(reflect.TypeFor[stock.MDNSConfig]()) {
		if _, ok := find(mdnsBlock, name); !ok {
			t.Errorf("no key %s in mdns", name)
		}
	}
}

// Every flag that Serf's agent has or documents is one of ours.
func TestTakesSerfsFlags(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hashicorp/serf").Output()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "docs/agent/options.html.markdown"))
	if err != nil {
		t.Fatal(err)
	}
	var f Flags
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	f.Add(fs)
	found := regexp.MustCompile("(?m)^(?:\\* `|  )-([a-z0-9-]+)").FindAllStringSubmatch(string(page)+(&stock.Command{}).Help(), -1)
	if len(found) < 50 {
		t.Fatalf("Serf has only %d flags", len(found))
	}
	for _, m := range found {
		if fs.Lookup(m[1]) == nil {
			t.Errorf("no flag --%s", m[1])
		}
	}
}

// A file with every key is read alike by Serf's agent and by us.
func TestSameAsSerf(t *testing.T) {
	const file = `{
		"node_name": "n", "Role": "web", "disable_coordinates": true, "tags": {"a": "b"}, "tags_file": "/tags",
		"bind": "127.0.0.1:1", "advertise": "127.0.0.2:2", "encrypt_key": "c2l4dGVlbiBieXRlcyBoZQ==",
		"log_level": "WARN", "rpc_addr": "127.0.0.1:7", "rpc_auth": "s", "protocol": 4, "replay_on_join": true,
		"query_response_size_limit": 1, "query_size_limit": 2, "user_event_size_limit": 3, "start_join": ["127.0.0.3"],
		"event_handlers": ["x.sh", "user:a,query:b=y.sh -k=v"], "profile": "wan", "snapshot_path": "/snap", "leave_on_terminate": true,
		"skip_leave_on_interrupt": true, "discover": "d", "mdns": {"Interface": "lo", "disable_ipv4": true}, "interface": "lo",
		"reconnect_interval": "1s", "reconnect_timeout": "2s", "tombstone_timeout": "3s", "disable_name_resolution": true,
		"enable_syslog": true, "syslog_facility": "USER", "retry_join": ["127.0.0.4"], "retry_max_attempts": 5, "retry_interval": "6s",
		"rejoin_after_leave": true, "enable_compression": true, "statsite_addr": "a:1", "statsd_addr": "b:2", "broadcast_timeout": "2s",
		"MsgpackUseNewTimeFormat": false, "keyring_file": null, "validate_node_names": null
	}`
	theirs, err := stock.DecodeConfig(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ours, problems := Load(Flags{Config: dir, SerfFiles: []string{write(t, dir, "serf.json", file)}})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	var handlers []rules.Handler
	for _, line := range theirs.EventHandlers {
		h := rules.Handler{Line: line}
		for _, s := range stock.ParseEventScript(line) {
			h.On, h.Script = append(h.On, rules.EventFilter{Type: s.Event, Name: s.Name}), s.Script
		}
		handlers = append(handlers, h)
	}
	theirs.Tags["role"] = theirs.Role
	want := Default()
	want.Files = ours.Files
	want.Cluster = cluster.Config{
		Name: theirs.NodeName, DisableCoordinates: theirs.DisableCoordinates, Tags: theirs.Tags, TagsFile: theirs.TagsFile,
		Bind: theirs.BindAddr, Advertise: theirs.AdvertiseAddr, EncryptKey: theirs.EncryptKey, Protocol: theirs.Protocol,
		ReplayOnJoin: theirs.ReplayOnJoin, QueryResponseSizeLimit: theirs.QueryResponseSizeLimit, QuerySizeLimit: theirs.QuerySizeLimit,
		UserEventSizeLimit: theirs.UserEventSizeLimit, Join: append(theirs.StartJoin, theirs.RetryJoin...), Profile: theirs.Profile,
		SnapshotPath: theirs.SnapshotPath, Discover: theirs.Discover, MDNS: cluster.MDNS(theirs.MDNS), Interface: theirs.Interface,
		ReconnectInterval: time.Second, ReconnectTimeout: 2 * time.Second, TombstoneTimeout: 3 * time.Second,
		DisableNameResolution: theirs.DisableNameResolution, RetryMax: theirs.RetryMaxAttempts, RetryInterval: theirs.RetryInterval,
		RejoinAfterLeave: theirs.RejoinAfterLeave, DisableCompression: !theirs.EnableCompression, BroadcastTimeout: theirs.BroadcastTimeout,
	}
	want.Leave = Leave{OnInterrupt: !theirs.SkipLeaveOnInt, OnTerminate: theirs.LeaveOnTerm}
	want.RPC = RPC{Addr: theirs.RPCAddr, AuthKey: theirs.RPCAuthKey, Explicit: true}
	want.Handlers = handlers
	want.Telemetry = Telemetry{Statsd: theirs.StatsdAddr, Statsite: theirs.StatsiteAddr}
	want.Log.Level, want.Log.Syslog = 4, Syslog{Enabled: theirs.EnableSyslog, Facility: theirs.SyslogFacility}
	if diff := cmp.Diff(want, ours); diff != "" {
		t.Errorf("config (-Serf's +ours):\n%s", diff)
	}
}
