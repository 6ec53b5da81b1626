package rpc_test

import (
	"strings"
	"testing"
	"time"

	"muster/cluster"
	"muster/rpc"
)

// What stands on the wire, byte for byte, written by hand from the
// MessagePack specification and Serf's page about its RPC.
func TestWire(t *testing.T) {
	bind := loopback()
	open := serve(t, cluster.Config{Name: "n1", Bind: bind + ":7946", Tags: map[string]string{"role": "web"}}, rpc.ServerConfig{})
	locked := serve(t, cluster.Config{Name: "n2"}, rpc.ServerConfig{AuthKey: "secret", AuthDelay: time.Millisecond})
	ip := [4]byte{127, 46}
	for i, part := range strings.Split(bind, ".") {
		var n byte
		for _, c := range part {
			n = 10*n + byte(c-'0')
		}
		ip[i] = n
	}
	self := "\x81\xa7Members\x91\x8b\xa4Name\xa2n1\xa4Addr\xc4\x04" + string(ip[:]) + "\xa4Port\xcd\x1f\x0a\xa4Tags\x81\xa4role\xa3web\xa6Status\xa5alive" +
		"\xabProtocolMin\x01\xabProtocolMax\x05\xabProtocolCur\x02\xabDelegateMin\x02\xabDelegateMax\x05\xabDelegateCur\x05"
	zero := "\xcb\x00\x00\x00\x00\x00\x00\x00\x00"
	none := "\x81\xa7Members\x90"

	for _, tt := range []struct {
		name, say, hear string
		to              *served
	}{
		{"handshake", handshake, answer(0, ""), open},
		{"a version of the future", request("handshake", 7) + "\x81\xa7Version\x02", answer(7, "Unsupported IPC version"), open},
		{"two handshakes", handshake + handshake, answer(0, "") + answer(0, "Handshake already performed"), open},
		{"members", handshake + request("members", 1), answer(0, "") + answer(1, "") + self, open},
		{"a number in 64 bits, a name as bytes", handshake + "\x82\xa7Command\xc4\x07members\xa3Seq\xcf\x00\x00\x00\x00\x00\x00\x00\x05", answer(0, "") + answer(5, "") + self, open},
		{"a key nobody knows", handshake + "\x83\xa5Extra\x92\xc0\x81\x01\xca\x00\x00\x00\x00\xa7Command\xa7members\xa3Seq\x05", answer(0, "") + answer(5, "") + self, open},
		{"members-filtered", handshake + request("members-filtered", 1) + "\x83\xa4Tags\x81\xa4role\xa2w.\xa6Status\xa0\xa4Name\xa0", answer(0, "") + answer(1, "") + none, open},
		{"a pattern that is none", handshake + request("members-filtered", 1) + "\x81\xa4Name\xa1(",
			answer(0, "") + answer(1, "cannot compile a pattern: error parsing regexp: missing closing ): `^(?:()$`") + none, open},
		{"stop of nothing", handshake + request("stop", 1) + "\x81\xa4Stop\x09", answer(0, "") + answer(1, ""), open},
		{"a filter that is none", handshake + request("stream", 1) + "\x81\xa4Type\xa3foo", answer(0, "") + answer(1, "Invalid event filter"), open},
		{"one stream twice", handshake + strings.Repeat(request("stream", 1)+"\x81\xa4Type\xa4user", 2), answer(0, "") + answer(1, "") + answer(1, "Stream with given sequence exists"), open},
		{"a level that is none", handshake + request("monitor", 1) + "\x81\xa8LogLevel\xa3foo", answer(0, "") + answer(1, "Unknown log level: FOO"), open},
		{"an answer to no query", handshake + request("respond", 1) + "\x82\xa2ID\x09\xa7Payload\xa1x", answer(0, "") + answer(1, "No pending queries matching ID"), open},
		{"a coordinate of nobody", handshake + request("get-coordinate", 1) + "\x81\xa4Node\xa1x",
			answer(0, "") + answer(1, "") + "\x82\xa5Coord\x84\xaaAdjustment" + zero + "\xa5Error" + zero + "\xa6Height" + zero + "\xa3Vec\xc0\xa2Ok\xc2", open},

		// What is refused takes its body with it.
		{"before the handshake", request("stream", 1) + "\x81\xa4Type\xa1*" + request("members", 2) + handshake, answer(1, "Handshake required") + answer(2, "Handshake required") + answer(0, ""), open},
		{"unknown with a body", handshake + request("foo", 1) + "\x81\xa1a\x01" + request("members", 2), answer(0, "") + answer(1, "Unsupported command") + answer(2, "") + self, open},
		{"unknown without a body", handshake + request("foo", 1) + request("members", 2), answer(0, "") + answer(1, "Unsupported command") + answer(2, "") + self, open},
		{"a body of the wrong type", handshake + request("stop", 1) + "\xa1x" + request("members", 2),
			answer(0, "") + answer(1, "not a message of Serf's RPC: msgpack decode error [pos 1]: only encoded map or array can be decoded into a struct") + answer(2, "") + self, open},
		{"without a key", handshake + request("event", 1) + "\x81\xa4Name\xa1x" + request("members", 2) + request("foo", 3) + "\x81\xa1a\x01" + request("auth", 4) + "\x81\xa7AuthKey\xa6secret" + request("stop", 5) + "\x81\xa4Stop\x09",
			answer(0, "") + answer(1, "Authentication required") + answer(2, "Authentication required") + answer(3, "Authentication required") + answer(4, "") + answer(5, ""), locked},
		{"a wrong key", handshake + request("auth", 1) + "\x81\xa7AuthKey\xa5wrong" + request("members", 2), answer(0, "") + answer(1, "Invalid authentication token") + answer(2, "Authentication required"), locked},
		{"a key nobody asked for", handshake + request("auth", 1) + "\x81\xa7AuthKey\xa5wrong", answer(0, "") + answer(1, ""), open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.to.raw(t)
			w.say(tt.say)
			w.hears(tt.hear)
			w = tt.to.raw(t)
			for i := range len(tt.say) { // and byte by byte
				w.say(tt.say[i : i+1])
			}
			w.hears(tt.hear)
		})
	}
}
