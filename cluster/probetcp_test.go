package cluster

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
)

// Of a node that knows more members than there can be only so many are read,
// whatever it announces.
func TestProbeIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answer := encode(mlPushPull, pushPullMessage{Nodes: 1 << 40})
	state := encode(0, stateMessage{Name: "x", Addr: []byte{127, 0, 0, 1}, Port: 1})[1:]
	answer = append(answer, bytes.Repeat(state, 1000)...)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = io.Copy(conn, bytes.NewReader(answer))
	}()
	p := prober{to: netip.MustParseAddrPort(l.Addr().String()), most: 100}
	if seen := p.members(context.Background()); len(seen) != 100 {
		t.Errorf("%d members are read, want 100", len(seen))
	}
}
