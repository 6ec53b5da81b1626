package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Listen listens at addr: "host:port", "unix:PATH", or a path with a "/" in
// front. Whoever may speak the RPC controls the node, so without a key TCP is
// for loopback addresses only, and a socket is for this user only. A socket
// that a dead agent left is replaced.
func Listen(addr, authKey string) (net.Listener, error) {
	network, address := split(addr)
	var ln net.Listener
	var err error
	if network == "unix" {
		ln, err = listenUnix(address)
	} else {
		ln, err = listenTCP(address, authKey)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot serve the RPC on %s: %w", addr, err)
	}
	return ln, nil
}

// split tells the two forms of addresses apart.
func split(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	if strings.HasPrefix(addr, "/") {
		return "unix", addr
	}
	return "tcp", addr
}

func listenTCP(addr, authKey string) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := checkExposure(resolved, authKey); err != nil {
		return nil, err
	}
	return net.ListenTCP("tcp", resolved)
}

// checkExposure reports an address at which others could control this node
// without a key.
func checkExposure(addr net.Addr, authKey string) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && authKey == "" && !tcp.IP.IsLoopback() {
		return errors.New("anybody who can reach it could control this node: set rpc_auth, or bind it to 127.0.0.1 or a Unix socket")
	}
	return nil
}

// maxPath is how many bytes Linux has for a socket's path (unix(7)).
const maxPath = 107

func listenUnix(path string) (net.Listener, error) {
	switch {
	case path == "":
		return nil, errors.New("the socket has no path")
	case len(path) > maxPath:
		return nil, fmt.Errorf("the path has %d bytes, and a socket's may have %d", len(path), maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, errors.New("a file that is not a socket is in the way")
		}
		if answers(path) {
			return nil, errors.New("another agent answers there")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// Who may write to a socket may connect.
	umask := syscall.Umask(0o177)
	defer syscall.Umask(umask)
	return net.Listen("unix", path)
}

// answers reports whether somebody listens on a socket.
func answers(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
	}
	return conn.Close() == nil
}
