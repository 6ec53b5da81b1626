package rpc

import (
	"bufio"
	"bytes"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-msgpack/v2/codec"
	"pgregory.net/rapid"

	"muster/cluster"
)

// encoded is what the codec makes of v.
func encoded(tb testing.TB, v any) []byte {
	tb.Helper()
	var b []byte
	if err := codec.NewEncoderBytes(&b, newHandle()).Encode(v); err != nil {
		tb.Fatal(err)
	}
	return b
}

// What is written by hand is byte for byte what the codec writes.
func TestAppendIsTheCodec(t *testing.T) {
	for _, n := range []uint64{0, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64} {
		if diff := cmp.Diff(encoded(t, n), appendUint(nil, n)); diff != "" {
			t.Errorf("%d (-codec +append):\n%s", n, diff)
		}
	}
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		s := strings.Repeat("x", n)
		if !bytes.Equal(encoded(t, s), appendString(nil, s)) {
			t.Errorf("a string of %d bytes", n)
		}
		if !bytes.Equal(encoded(t, []byte(s)), appendBytes(nil, []byte(s))) {
			t.Errorf("%d bytes", n)
		}
		list := make([]bool, n)
		want := encoded(t, list)
		if got := appendArray(nil, n); !bytes.HasPrefix(want, got) || len(want) != len(got)+n {
			t.Errorf("an array of %d", n)
		}
		numbers := make(map[int]bool, n)
		for i := range n {
			numbers[i] = true
		}
		if got := appendMap(nil, n); !bytes.HasPrefix(encoded(t, numbers), got) {
			t.Errorf("a map of %d", n)
		}
	}
	for _, v := range []bool{false, true} {
		if !bytes.Equal(encoded(t, v), appendBool(nil, v)) {
			t.Errorf("%v", v)
		}
	}
	if !bytes.Equal(encoded(t, []byte(nil)), appendBytes(nil, nil)) {
		t.Error("no bytes at all")
	}
}

// Every record written by hand is read as the struct that it stands for.
func TestRecordsRoundTrip(t *testing.T) {
	text, bin := rapid.StringN(0, 300, 600), rapid.SliceOfN(rapid.Byte(), 0, 300)
	member := rapid.Custom(func(t *rapid.T) cluster.Member {
		addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
		return cluster.Member{
			Name: text.Draw(t, "name"), Addr: addr.Unmap(), Port: rapid.Uint16().Draw(t, "port"),
			Status: rapid.SampledFrom(cluster.Statuses).Draw(t, "status"), Tags: rapid.MapOfN(text, text, 0, 20).Draw(t, "tags"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var buf bytes.Buffer
		w := bufio.NewWriter(&buf)
		read := func(v any) {
			t.Helper()
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := codec.NewDecoder(&buf, newHandle()).Decode(v); err != nil || buf.Len() > 0 {
				t.Fatalf("%v, and %d bytes are left", err, buf.Len())
			}
		}
		same := func(want, got any) {
			t.Helper()
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
		}

		e := cluster.Event{
			Type: rapid.SampledFrom([]string{cluster.EventUser, cluster.EventQuery}).Draw(t, "type"),
			Name: text.Draw(t, "name"), Payload: bin.Draw(t, "payload"), LTime: rapid.Uint64().Draw(t, "ltime"),
		}
		id := rapid.Uint64().Draw(t, "id")
		want := eventRecord{Event: e.Type, Name: e.Name, Payload: e.Payload, LTime: e.LTime}
		if e.Type == cluster.EventQuery {
			want.ID = id
		} else {
			e.Coalesce = rapid.Bool().Draw(t, "coalesce")
			want.Coalesce = e.Coalesce
		}
		_, _ = w.Write(appendNamedEvent(nil, e, id))
		var got eventRecord
		read(&got)
		same(want, got)

		v := cluster.Versions{ProtocolMin: 1, ProtocolMax: 200, ProtocolCur: 3, DelegateMin: 4, DelegateMax: 5, DelegateCur: 6}
		members := cluster.Event{Type: cluster.EventFailed, Members: rapid.SliceOfN(member, 0, 20).Draw(t, "members")}
		versions := map[string]cluster.Versions{}
		want = eventRecord{Event: members.Type}
		for _, m := range members.Members {
			versions[m.Name] = v
			want.Members = append(want.Members, wireMember{
				Name: m.Name, Addr: m.Addr.AsSlice(), Port: m.Port, Tags: m.Tags, Status: string(m.Status),
				ProtocolMin: 1, ProtocolMax: 200, ProtocolCur: 3, DelegateMin: 4, DelegateMax: 5, DelegateCur: 6,
			})
		}
		if err := putMemberEvent(w, members, versions); err != nil {
			t.Fatal(err)
		}
		got = eventRecord{}
		read(&got)
		same(want, got)

		header := responseHeader{Seq: id, Error: text.Draw(t, "error")}
		_, _ = w.Write(appendHeader(nil, header.Seq, header.Error))
		var gotHeader responseHeader
		read(&gotHeader)
		same(header, gotHeader)
	})
}
