package rpc

import (
	"net"
	"testing"
)

// ends is a connection of which only the ends are known.
type ends struct {
	net.Conn
	local, remote net.Addr
}

func (e ends) LocalAddr() net.Addr  { return e.local }
func (e ends) RemoteAddr() net.Addr { return e.remote }

// Whether what an agent says may be changed on the way depends on where it is.
func TestRemote(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 7373} }
	for _, c := range []struct {
		local, remote net.Addr
		want          string
	}{
		{&net.UnixAddr{}, &net.UnixAddr{Name: "/run/rpc.sock"}, ""},
		{tcp("127.0.0.1"), tcp("127.0.0.2"), ""},
		{tcp("::1"), tcp("::1"), ""},
		{tcp("::ffff:127.0.0.1"), tcp("::ffff:127.0.0.1"), ""},
		{tcp("10.0.0.1"), tcp("10.0.0.1"), ""}, // this machine's own
		{tcp("10.0.0.1"), tcp("10.0.0.2"), "10.0.0.2:7373"},
		{tcp("2001:db8::1"), tcp("2001:db8::2"), "[2001:db8::2]:7373"},
	} {
		client := &Client{conn: ends{local: c.local, remote: c.remote}}
		if got := client.remote(); got != c.want {
			t.Errorf("from %s to %s: %q, want %q", c.local, c.remote, got, c.want)
		}
	}
}
