package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What finds the agent, and what goes before what.
func TestRPCAddress(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"api.sock", "rpc.sock", "web1.sock", "web1-rpc.sock", "follower.sock"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name           string
		socket, serf   string // MUSTER_SOCKET, SERF_RPC_ADDR
		flags          []string
		want, complain string
	}{
		{name: "the flag", serf: "10.0.0.1:7373", flags: []string{"--rpc-addr", "10.0.0.2:7373"}, want: "10.0.0.2:7373"},
		{name: "the other flag", serf: "10.0.0.1:7373", flags: []string{"--socket", in("web1.sock")}, want: "unix:" + in("web1-rpc.sock")},
		{name: "a directory", flags: []string{"--socket", dir}, want: "unix:" + in("rpc.sock")},
		{name: "Serf's variable", socket: in("api.sock"), serf: "10.0.0.1:7373", want: "10.0.0.1:7373"},
		{name: "our variable", socket: in("api.sock"), want: "unix:" + in("rpc.sock")},
		{name: "nobody there", socket: in("nosuch.sock"), complain: "is it running?"},
		{name: "one that follows", socket: in("follower.sock"), complain: "follows another one"},
		{name: "both flags", flags: []string{"--rpc-addr", "x:1", "--socket", dir}, complain: "leave one out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("MUSTER_SOCKET", test.socket)
			t.Setenv("SERF_RPC_ADDR", test.serf)
			a := &app{}
			cmd := &cobra.Command{Use: "x"}
			a.asksRPC(cmd)
			if err := cmd.ParseFlags(test.flags); err != nil {
				t.Fatal(err)
			}
			got, err := a.rpcAddress(cmd)
			if got != test.want || (err == nil) != (test.complain == "") || err != nil && !strings.Contains(err.Error(), test.complain) {
				t.Errorf("%q, %v; want %q, %q", got, err, test.want, test.complain)
			}
		})
	}
}

// The key is shown by no help.
func TestKeyIsNotShown(t *testing.T) {
	t.Setenv("SERF_RPC_AUTH", "very-secret")
	var out bytes.Buffer
	if code := run(t.Context(), []string{"members", "--help"}, &out, &out); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if !strings.Contains(out.String(), "--rpc-auth") || strings.Contains(out.String(), "very-secret") {
		t.Error(out.String())
	}
}

// A flag that is given, though it is empty, goes before the variable.
func TestRPCKey(t *testing.T) {
	t.Setenv("SERF_RPC_AUTH", "variable")
	for want, flags := range map[string][]string{"variable": nil, "flag": {"--rpc-auth", "flag"}, "": {"--rpc-auth="}} {
		a := &app{}
		cmd := &cobra.Command{Use: "x"}
		a.asksRPC(cmd)
		if err := cmd.ParseFlags(flags); err != nil {
			t.Fatal(err)
		}
		if got := a.rpcKey(cmd); got != want {
			t.Errorf("%q: %q, want %q", flags, got, want)
		}
	}
}
