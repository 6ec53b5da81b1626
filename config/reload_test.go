package config

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFixed(t *testing.T) {
	full, problems := Load(Flags{Config: "testdata/full.hcl"})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	next := full
	next.Log.Level, next.Leave, next.Handlers = slog.LevelError, Leave{}, nil
	next.Cluster.Tags = map[string]string{"new": "tag"}
	if got := full.Fixed(next); len(got) > 0 {
		t.Errorf("a restart for %q", got)
	}
	next.Cluster.Bind, next.Cluster.MDNS.DisableIPv4, next.RPC.AuthKey, next.HTTP.Mode = "127.0.0.1", true, "new", 0
	next.TrustedKeys = "/y"
	next.Cluster.Join = append(next.Cluster.Join, "another")
	want := []string{"cluster.bind", "cluster.start_join", "cluster.mdns.disable_ipv4", "cluster.rpc_auth", "cluster.trusted_keys", "http.mode"}
	if diff := cmp.Diff(want, full.Fixed(next)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
