package muster_test

import (
	"net"
	"strings"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/rogpeppe/go-internal/testscript"
)

// An alive is memberlist's message that a node lives, as it is on the wire.
type alive struct {
	Incarnation uint32
	Node        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Vsn         []uint8
}

const aliveMessage = 4 // memberlist's messageType of an alive

// hostileNodes are members that no honest agent would announce.
var hostileNodes = map[string]alive{
	"semicolon": {Node: "x;}"},
	"newline":   {Node: "x\nserver 6.6.6.6:1;"},
	"path":      {Node: "../x"},
	"empty":     {Node: ""},
	"long":      {Node: strings.Repeat("x", 5000)},
	"noaddr":    {Node: "noaddr", Addr: []byte{}},
	"noport":    {Node: "noport", Port: 0},
	"bigtags":   {Node: "bigtags", Meta: tagsOf(map[string]string{"role": "web", "x": strings.Repeat("x", 20_000)})},
	"badtags":   {Node: "badtags", Meta: []byte{255, 0xc1, 0xc1}},
	"everyone":  {Node: "everyone", Addr: []byte{255, 255, 255, 255}},
	"forger":    {Node: "x\ntime=2026-01-01T00:00:00Z level=ERROR msg=\"all is lost\""},
	// A proper member.
	"injector": {Node: "injector"},
}

// hostile is `hostile KIND ADDR:PORT`.
func hostile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: hostile KIND ADDR:PORT")
	}
	if args[0] == "garbage" {
		udp(ts, args[1], []byte("\xff\x04GET / HTTP/1.1\r\n\r\n"))
		return
	}
	node, ok := hostileNodes[args[0]]
	if !ok {
		ts.Fatalf("no hostile node %q", args[0])
	}
	node.Incarnation = 1
	node.Vsn = []uint8{1, 5, 2, 2, 5, 5}
	if node.Addr == nil {
		node.Addr = []byte{127, 66, 66, 66}
	}
	if node.Port == 0 && args[0] != "noport" {
		node.Port = 7946
	}
	if node.Meta == nil {
		node.Meta = tagsOf(map[string]string{"role": "web"})
	}
	packet := []byte{aliveMessage}
	var body []byte
	ts.Check(codec.NewEncoderBytes(&body, &codec.MsgpackHandle{}).Encode(node))
	udp(ts, args[1], append(packet, body...))
}

// tagsOf encodes tags as Serf does: a magic byte, then msgpack.
func tagsOf(tags map[string]string) []byte {
	var body []byte
	if err := codec.NewEncoderBytes(&body, &codec.MsgpackHandle{}).Encode(tags); err != nil {
		panic(err)
	}
	return append([]byte{255}, body...)
}

// udp sends one packet to addr.
func udp(ts *testscript.TestScript, addr string, packet []byte) {
	conn, err := net.Dial("udp", addr)
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Write(packet)
	ts.Check(err)
}
