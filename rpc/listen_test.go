package rpc_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/cluster"
	"muster/rpc"
)

func TestListen(t *testing.T) {
	dir := t.TempDir()
	for name, addr := range map[string]string{
		"a path": filepath.Join(dir, "new", "a.sock"), "unix:": "unix:" + filepath.Join(dir, "b.sock"),
	} {
		t.Run(name, func(t *testing.T) {
			path := strings.TrimPrefix(addr, "unix:")
			ln, err := rpc.Listen(addr, "")
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if _, err := rpc.Listen(addr, ""); err == nil || !strings.Contains(err.Error(), "another agent answers there") {
				t.Errorf("two agents on one socket: %v", err)
			}
			ln.(*net.UnixListener).SetUnlinkOnClose(false)
			ln.Close() // as an agent that was killed
			if ln, err = rpc.Listen(addr, ""); err != nil {
				t.Fatal(err)
			}
			ln.Close()
			if _, err := os.Stat(path); err == nil {
				t.Error("the socket is left")
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := rpc.Listen(addr, ""); err == nil || !strings.Contains(err.Error(), "not a socket") {
				t.Errorf("a file in the way: %v", err)
			}
		})
	}
	for _, tt := range []struct{ addr, key, want string }{
		{"127.0.0.1:0", "", ""},
		{"localhost:0", "", ""},
		{"127.3.2.1:0", "", ""},
		{"127.0.0.1:0", "secret", ""},
		{"0.0.0.0:0", "", "cannot serve the RPC on 0.0.0.0:0: anybody who can reach it could control this node: set rpc_auth, or bind it to 127.0.0.1 or a Unix socket"},
		{":0", "", "set rpc_auth"},
		{"[::]:0", "", "set rpc_auth"},
		{"192.0.2.1:0", "", "set rpc_auth"},
		{"127.0.0.1", "", "missing port"},
		{"unix:", "", "no path"},
		{"/" + strings.Repeat("x", 107), "", "108 bytes"},
	} {
		ln, err := rpc.Listen(tt.addr, tt.key)
		if err == nil {
			ln.Close()
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s, key %q: %v, want %q", tt.addr, tt.key, err, tt.want)
		}
	}
}

// A listener that was made elsewhere is held to the same.
func TestServeIsNotExposed(t *testing.T) {
	node, err := cluster.Join(cluster.Config{Name: "a", Bind: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	err = rpc.NewServer(rpc.ServerConfig{Node: node}).Serve(context.Background(), everywhere{})
	if err == nil || !strings.Contains(err.Error(), "set rpc_auth") {
		t.Errorf("%v", err)
	}
}

// everywhere is a listener of every address, were it one.
type everywhere struct{ net.Listener }

func (everywhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 7373} }
func (everywhere) Close() error   { return nil }
