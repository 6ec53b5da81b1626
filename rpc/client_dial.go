package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// Dial connects to the agent at addr, "host:port", "unix:PATH" or "/path",
// shakes hands and shows the key. Its errors say what to check.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	if err := checkAddr(addr); err != nil {
		return nil, err
	}
	network, address := split(addr)
	o = o.withDefaults()
	d := net.Dialer{Timeout: o.Timeout}
	conn, err := d.DialContext(ctx, network, address)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("cannot reach the Serf agent at %s: %w: run this as root or as a member of the socket's group", addr, fs.ErrPermission)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot reach the Serf agent at %s: %s; is one running? %s says where", addr, reason(err), o.setting("--rpc-addr", "attach"))
	}
	c := newClient(conn, addr, o)
	if err := c.greet(ctx, o.AuthKey); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkAddr reports an address that cannot be an agent's.
func checkAddr(addr string) error {
	network, address := split(addr)
	if network == "tcp" {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("cannot use %q as an agent's address: it is host:port, like 127.0.0.1:7373, unix:PATH or /path", addr)
		}
	} else if address == "" {
		return fmt.Errorf("cannot use %q as an agent's address: the socket has no path", addr)
	}
	return nil
}

// greet shakes hands and shows the key.
func (c *Client) greet(ctx context.Context, key string) error {
	_, err := c.ask(ctx, request{command: cmdHandshake, body: handshakeRequest{Version: version}})
	if said(err, errUnsupportedVersion) {
		return fmt.Errorf("the Serf agent at %s does not speak version %d of Serf's RPC", c.addr, version)
	}
	if err != nil || key == "" {
		return err
	}
	_, err = c.ask(ctx, request{command: cmdAuth, body: authRequest{AuthKey: key}})
	if said(err, errInvalidAuthToken) {
		return fmt.Errorf("the Serf agent at %s refuses the key: %s", c.addr, c.keyHint)
	}
	return err
}

// reason returns the bare cause of a network error: what it was about is said
// already.
func reason(err error) string {
	var dns *net.DNSError
	var sys *os.SyscallError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("host %s: %s", dns.Name, dns.Err)
	case errors.As(err, &sys):
		return sys.Err.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "given up"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return err.Error()
}
