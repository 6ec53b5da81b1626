package cluster

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// udp pings the node by a packet of size bytes, or as short as it is. A
// connected socket hears that nobody listens; one that is not hears a node that
// answers from another address, which memberlist takes just as well.
func (p prober) udp(ctx context.Context, size int) Leg {
	leg := Leg{Way: Silent, Err: "no answer"}
	for try := range probeTries {
		if ctx.Err() != nil {
			break
		}
		leg = p.ping(ctx, size, try%2 == 0)
		if leg.Way != Silent {
			break
		}
	}
	return leg
}

// ping sends one ping and waits for its answer.
func (p prober) ping(ctx context.Context, size int, connected bool) Leg {
	conn, err := p.dial(ctx, connected)
	if err != nil && p.port != 0 { // it is taken
		p.port = 0
		conn, err = p.dial(ctx, connected)
	}
	if err != nil {
		return legOf(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	began, sequence := time.Now(), rand.Uint32()
	packet := p.packet(encode(mlPing, pingMessage{SeqNo: sequence}), size)
	if connected {
		_, err = conn.Write(packet)
	} else {
		_, err = conn.WriteToUDPAddrPort(packet, p.to)
	}
	if err != nil {
		return legOf(err)
	}
	_ = conn.SetReadDeadline(began.Add(probePatience))
	buf := make([]byte, 64<<10)
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case isTimeout(err):
			return Leg{Way: Silent, Err: "no answer"}
		case err != nil:
			return legOf(err)
		case p.acknowledges(buf[:n], sequence):
			return Leg{Way: Open, Took: time.Since(began)}
		}
	}
}

func (p prober) dial(ctx context.Context, connected bool) (*net.UDPConn, error) {
	if !connected {
		return net.ListenUDP("udp", p.local(true).(*net.UDPAddr))
	}
	d := net.Dialer{LocalAddr: p.local(true)}
	conn, err := d.DialContext(ctx, "udp", p.to.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// packet is a message as it is sent over UDP, with zeros behind it, which
// nobody reads, up to size bytes.
func (p prober) packet(message []byte, size int) []byte {
	overhead := 0
	if p.keys != nil {
		overhead = sealOverhead
	}
	if pad := size - len(message) - overhead; pad > 0 {
		message = append(message, make([]byte, pad)...)
	}
	if p.keys == nil {
		return message
	}
	return seal(p.keys.GetPrimaryKey(), message, nil)
}

// acknowledges reports whether a packet holds the answer to a ping. It may
// carry gossip, too, which is passed over.
func (p prober) acknowledges(packet []byte, sequence uint32) bool {
	var u unpacker
	if p.keys != nil {
		plain, ok := u.unseal(p.keys.GetKeys(), packet, nil)
		if !ok {
			return false
		}
		packet = plain
	}
	messages, err := u.unpack(packet)
	return err == nil && slices.ContainsFunc(messages, func(m []byte) bool {
		var ack ackMessage
		return len(m) > 0 && m[0] == mlAck && decode(m[1:], &ack) == nil && ack.SeqNo == sequence
	})
}
