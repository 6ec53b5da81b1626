package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// Types of fields that hold where Serf's RPC is served.
type (
	address    string // of an agent to attach to
	rpcAddress RPC    // of our own: what is written was asked for
)

// resolveRPC makes the path of a Unix socket absolute. dir is where a relative
// one counts from.
func resolveRPC(addr, dir string) string {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok || path == "" {
		return addr
	}
	if abs, err := filepath.Abs(under(dir, path)); err == nil {
		return "unix:" + abs
	}
	return addr
}

// checkRPC reports what is no address of an RPC: "host:port", "unix:PATH" and
// "/path" are.
func checkRPC(addr string) error {
	if strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, "unix:/") {
		return nil
	}
	return checkHostPort(addr, `; write ADDR:PORT or unix:PATH`)
}

// checkHostPort reports what is not "host:port".
func checkHostPort(addr, remedy string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(addr, " \t\r\n\x00/") {
		return errors.New("it is no address with a port" + remedy)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q is not a number up to 65535", port)
	}
	return nil
}

// open reports whether others than this machine's users reach an address that
// passed checkRPC. What only a resolver knows is left for later.
func open(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || strings.HasPrefix(addr, "unix:") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && !ip.IsLoopback()
}
