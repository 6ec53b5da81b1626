package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// Errors of an exchange over TCP that say how the keys compare.
var (
	errKeyDiffers = errors.New("it encrypts with another key")
	errKeyThere   = errors.New("it encrypts, and this node does not")
	errKeyHere    = errors.New("it does not encrypt, and this node does")
	errKeyBehind  = errors.New("it lacks the key that this node encrypts with")
	errForeign    = errors.New("it speaks another protocol")
)

// tcp pings the node over a stream, as memberlist does where UDP fails. A ping
// without a name is answered by every node.
func (p prober) tcp(ctx context.Context) (Leg, Key) {
	began, sequence := time.Now(), rand.Uint32()
	reply, leg, err := p.exchange(ctx, encode(mlPing, pingMessage{SeqNo: sequence}))
	var ack ackMessage
	if err == nil && leg.Way == Open && (reply[0] != mlAck || decode(reply[1:], &ack) != nil || ack.SeqNo != sequence) {
		err = fmt.Errorf("%w: it answers with %s", errForeign, quote(string(reply[:min(len(reply), 24)])))
	}
	key := KeyUnknown
	switch {
	case errors.Is(err, errKeyDiffers):
		key = KeyDiffers
	case errors.Is(err, errKeyThere):
		key = KeyThere
	case errors.Is(err, errKeyHere):
		key = KeyHere
	case errors.Is(err, errKeyBehind):
		key = KeyBehind
	case err != nil:
		return Leg{Way: Foreign, Err: err.Error()}, KeyUnknown
	case leg.Way == Open:
		key = KeySame
	}
	if key != KeyUnknown {
		leg.Way, leg.Took = Open, time.Since(began)
	}
	return leg, key
}

// members asks the node whom it knows: an exchange of state in which this side
// has none, and does not ask to join.
func (p prober) members(ctx context.Context) []Member {
	reply, leg, err := p.exchange(ctx, encode(mlPushPull, pushPullMessage{}))
	if err != nil || leg.Way != Open || reply[0] != mlPushPull {
		return nil
	}
	states := codec.NewDecoderBytes(reply[1:], &codec.MsgpackHandle{})
	var head pushPullMessage
	if states.Decode(&head) != nil {
		return nil
	}
	seen := []Member{}
	for range min(head.Nodes, p.most) { // there may be as many bytes as states
		var s stateMessage
		if states.Decode(&s) != nil {
			return nil
		}
		addr, _ := netip.AddrFromSlice(s.Addr)
		if checkName(s.Name) != nil || !addr.IsValid() || int(s.State) >= len(stateStatus) {
			continue
		}
		seen = append(seen, Member{Name: s.Name, Addr: addr.Unmap(), Port: s.Port, Status: stateStatus[s.State]})
	}
	SortMembers(seen)
	return seen
}

// stateStatus is Serf's word for memberlist's states: alive, suspect, dead and
// left.
var stateStatus = []Status{memberlist.StateAlive: Alive, memberlist.StateSuspect: Alive, memberlist.StateDead: Failed, memberlist.StateLeft: Left}

// exchange sends one message over a stream and returns the answer, in the
// clear: a type and its msgpack. Without an answer the leg says why.
func (p prober) exchange(ctx context.Context, message []byte) ([]byte, Leg, error) {
	d := net.Dialer{Timeout: probeTimeout, LocalAddr: p.local(false)}
	conn, err := d.DialContext(ctx, "tcp", p.to.String())
	if err != nil {
		return nil, legOf(err), nil
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if p.keys != nil {
		head := binary.BigEndian.AppendUint32([]byte{mlEncrypt}, uint32(sealedSize(len(message))))
		message = append(head, seal(p.keys.GetPrimaryKey(), message, head)...)
	}
	_ = conn.SetDeadline(time.Now().Add(probeTimeout))
	_, err = conn.Write(message)
	var reply []byte
	if err == nil {
		r := bufio.NewReader(io.LimitReader(conn, maxStream))
		if reply, err = p.read(r); isTimeout(err) {
			// Programs that speak in lines, as HTTP, wait for the end of one.
			_ = conn.SetDeadline(time.Now().Add(probeTimeout / 3))
			if _, err = io.WriteString(conn, "\r\n\r\n"); err == nil {
				reply, err = p.read(r)
			}
		}
	}
	switch {
	case err == nil:
		return reply, Leg{Way: Open}, nil
	case isTimeout(err):
		return nil, Leg{Way: Mute, Err: "no answer in " + probeTimeout.String()}, nil
	case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || isReset(err):
		return nil, Leg{Way: Closed, Err: legError(err).Error()}, nil
	}
	return nil, Leg{}, err
}

// read reads one answer.
func (p prober) read(r *bufio.Reader) ([]byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	sealed := kind == mlEncrypt
	var body []byte
	switch {
	case sealed:
		if body, err = p.unseal(r); err != nil {
			return nil, err
		}
	case kind == mlPing || kind == mlAck || kind == mlPushPull || kind == mlCompress || kind == mlError:
		if body, err = io.ReadAll(r); err != nil {
			return nil, err
		}
		body = append([]byte{kind}, body...)
	case kind == mlLabel:
		return nil, fmt.Errorf("%w: a memberlist with a label, as Consul's or Nomad's", errForeign)
	default:
		start, _ := r.Peek(min(max(r.Buffered(), 1), 40))
		return nil, fmt.Errorf("%w: it answers with %s", errForeign, quote(string(kind)+string(start)))
	}
	if body, err = new(unpacker).decompress(body, maxInflated); err != nil {
		return nil, err
	}
	if body[0] == mlError {
		return nil, remoteError(body[1:])
	}
	return body, nil
}

// unseal reads the rest of an encrypted answer.
func (p prober) unseal(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < sealOverhead || n > maxStream {
		return nil, fmt.Errorf("%w: an encrypted answer of %d bytes", errForeign, n)
	}
	if p.keys == nil {
		return nil, errKeyThere
	}
	var buf bytes.Buffer // it grows as the answer does, whatever was announced
	if _, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, err
	}
	plain, ok := new(unpacker).unseal(p.keys.GetKeys(), buf.Bytes(), append([]byte{mlEncrypt}, size[:]...))
	if !ok {
		return nil, errKeyDiffers
	}
	return plain, nil
}

// remoteError is what a node says of a message that it cannot take
// (memberlist's readStream).
func remoteError(text []byte) error {
	var e errorMessage
	if decode(text, &e) != nil {
		return fmt.Errorf("%w: an error that cannot be read", errForeign)
	}
	said := strings.ToLower(e.Error)
	switch {
	case strings.Contains(said, "encryption is not configured"):
		return errKeyHere
	case strings.Contains(said, "could decrypt"):
		return errKeyBehind
	case strings.Contains(said, "not encrypted"):
		return errKeyThere
	}
	return fmt.Errorf("%w: it says %s", errForeign, quote(e.Error))
}
