package rpc

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-msgpack/v2/codec"
)

func pack(t testing.TB, values ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, v := range values {
		if err := codec.NewEncoder(&out, newHandle()).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// Frames come out as they went in, however the bytes arrive.
func TestFrames(t *testing.T) {
	values := []any{
		responseHeader{Seq: 7}, membersResponse{Members: wireMembers(40)}, map[string]any{}, []any{}, nil, true, -5, 1 << 40, 2.5,
		strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 300), strings.Repeat("x", 70_000), bytes.Repeat([]byte{1}, 70_000),
		figures("f"), userEventRecord{Event: "user", Payload: []byte{0, 1}},
	}
	r := newFrameReader(iotest.OneByteReader(bytes.NewReader(pack(t, values...))), fromServer)
	for _, v := range values {
		frame, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(frame, pack(t, v)) && len(frame) != len(pack(t, v)) { // maps come in any order
			t.Errorf("%T came out as %d bytes", v, len(frame))
		}
	}
	if _, err := r.next(); err != io.EOF {
		t.Errorf("after the last one: %v", err)
	}
}

// What is too much, or no message, is refused as soon as that is known.
func TestFramesRefused(t *testing.T) {
	small := limits{bytes: 1000, elements: 100, depth: 3, width: 300}
	for name, c := range map[string]struct {
		in   string
		want string
	}{
		"deep":        {"\x91\x91\x91\x91\xc0", "more than 3 deep"},
		"deep map":    {strings.Repeat("\x81\xa1a", 10), "more than 3 deep"},
		"long text":   {"\xdb\x00\x00\x10\x00", "longer than 1000 bytes"},
		"huge text":   {"\xdb\xff\xff\xff\xff", "longer than 1000 bytes"},
		"huge bytes":  {"\xc6\xff\xff\xff\xff", "longer than 1000 bytes"},
		"huge map":    {"\xdf\xff\xff\xff\xff", "longer than 1000 bytes"},
		"huge array":  {"\xdd\xff\xff\xff\xff", "longer than 1000 bytes"},
		"many values": {"\xdc\x00\xf0" + strings.Repeat("\xc0", 240), "more than 100 values"},
		"many texts":  {"\x93" + strings.Repeat("\xda\x02\x00"+strings.Repeat("x", 512), 3), "longer than 1000 bytes"},
		"wide array":  {"\xdc\x01\x2d", "array of 301"},
		"wide map":    {"\xde\x00\x97", "array of 302"},
		"extension":   {"\xd4\x01\x02", "of type 0xd4"},
		"unused":      {"\xc1", "of type 0xc1"},
		"cut":         {"\x92\xc0", "unexpected EOF"},
		"cut text":    {"\xa5abc", "unexpected EOF"},
		"cut length":  {"\xda\x01", "unexpected EOF"},
	} {
		_, err := newFrameReader(strings.NewReader(c.in), small).next()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// A length that lies costs nothing.
func TestFrameLengthsLie(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		for _, in := range []string{"\xdb\x03\xff\x00\x00", "\xdd\x00\x01\xff\xff", "\xdf\x00\x00\xff\xff"} {
			if _, err := newFrameReader(strings.NewReader(in+"abc"), fromServer).next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) / 300; took > 300<<10 {
		t.Errorf("%d bytes for a frame of five", took)
	}
}

// Whatever a server sends, reading it neither panics nor takes memory beyond
// what came; what is a frame is one value and can be put together again.
func FuzzFrames(f *testing.F) {
	f.Add(pack(f, responseHeader{Seq: 1, Error: "x"}, membersResponse{Members: wireMembers(2)}))
	f.Add(pack(f, queryRecord{Type: recordDone}, logRecord{"l"}, keyResponse{Keys: map[string]int{"k": 1}}, figures("f")))
	f.Add(pack(f, memberEventRecord{Event: "member-join", Members: wireMembers(1)}, coordinateResponse{Ok: true}))
	f.Add([]byte("\x91\x91\x91\x91\x91\xdf\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newFrameReader(bytes.NewReader(in), limits{bytes: 1 << 16, elements: 1 << 12, depth: 8})
		var rest []byte
		for {
			frame, err := r.next()
			if err != nil {
				break
			}
			rest = append(rest, frame...)
			for _, v := range []any{
				new(responseHeader), new(membersResponse), new(eventRecord), new(queryRecord), new(logRecord),
				new(keyResponse), new(coordinateResponse), new(joinResponse), new(map[string]map[string]string),
			} {
				if err := decode(frame, v); err == nil {
					if m, ok := v.(*membersResponse); ok {
						sortedMembers(m.Members)
					}
				}
			}
		}
		if diff := cmp.Diff(in[:len(rest)], rest); diff != "" && len(rest) > 0 {
			t.Errorf("frames are not what came:\n%s", diff)
		}
	})
}
