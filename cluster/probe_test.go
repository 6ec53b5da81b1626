package cluster_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/cluster"
)

// probe probes addr as a node of c would that does not run.
func probe(t *testing.T, c cluster.Config, addr string) cluster.Probe {
	t.Helper()
	c.Bind = loopback()
	p, err := c.Probe(t.Context(), addr, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A node answers over TCP and UDP, tells whom it knows, and learns of nobody:
// with each kind of key, and whether or not it compresses.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", key(1, 16), key(1, 32)} {
		a := start(t, cluster.Config{Name: "a", Bind: loopback(), EncryptKey: secret})
		b := start(t, cluster.Config{Name: "b", Bind: loopback(), EncryptKey: secret, Join: []string{a.Info().Bind}, DisableCompression: true})
		a.waitFor("a:alive b:alive")
		b.waitFor("a:alive b:alive")
		for _, n := range []*node{a, b} {
			p := probe(t, cluster.Config{Name: "prober", EncryptKey: secret}, n.Info().Bind)
			if p.TCP.Way != cluster.Open || p.UDP.Way != cluster.Open || p.Large.Way != cluster.Open || p.Key != cluster.KeySame {
				t.Errorf("probe %+v", p)
			}
			var seen []string
			for _, m := range p.Seen {
				seen = append(seen, m.Name+" "+string(m.Status)+" "+netip.AddrPortFrom(m.Addr, m.Port).String())
			}
			want := []string{"a alive " + a.Info().Advertise, "b alive " + b.Info().Advertise}
			if !slices.Equal(seen, want) {
				t.Errorf("seen %q, want %q", seen, want)
			}
		}
		if got := describe(a.View()); got != "a:alive b:alive" || len(a.Info().Refused) > 0 || len(a.Info().Conflicts) > 0 {
			t.Errorf("the probe was noticed: %s %+v", got, a.Info())
		}
	}
}

// How the keys compare.
func TestProbeKeys(t *testing.T) {
	t.Parallel()
	ring := func(keys ...string) string {
		path := filepath.Join(t.TempDir(), "keyring")
		data, _ := json.Marshal(keys)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := start(t, cluster.Config{Name: "plain", Bind: loopback()})
	sealed := start(t, cluster.Config{Name: "sealed", Bind: loopback(), EncryptKey: key(1, 16)})
	plain.waitFor("plain:alive")
	sealed.waitFor("sealed:alive")
	for _, c := range []struct {
		name string
		of   cluster.Config
		to   *node
		key  cluster.Key
		udp  cluster.Way
	}{
		{"none", cluster.Config{}, plain, cluster.KeySame, cluster.Open},
		{"only there", cluster.Config{}, sealed, cluster.KeyThere, cluster.Silent},
		{"only here", cluster.Config{EncryptKey: key(1, 16)}, plain, cluster.KeyHere, cluster.Silent},
		{"another", cluster.Config{EncryptKey: key(2, 16)}, sealed, cluster.KeyDiffers, cluster.Silent},
		{"a longer one", cluster.Config{EncryptKey: key(1, 32)}, sealed, cluster.KeyDiffers, cluster.Silent},
		{"a new one first", cluster.Config{KeyringFile: ring(key(2, 16), key(1, 16))}, sealed, cluster.KeyBehind, cluster.Silent},
		{"a new one second", cluster.Config{KeyringFile: ring(key(1, 16), key(2, 16))}, sealed, cluster.KeySame, cluster.Open},
	} {
		p := probe(t, c.of, c.to.Info().Bind)
		if p.TCP.Way != cluster.Open || p.Key != c.key || p.UDP.Way != c.udp {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// What listens there is no node, or nothing is.
func TestProbeOthers(t *testing.T) {
	t.Parallel()
	serve := func(answer func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer conn.Close(); answer(conn) }()
			}
		}()
		return l.Addr().String()
	}
	read := func(c net.Conn) { _, _ = c.Read(make([]byte, 1024)) }
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) { read(c); _, _ = io.WriteString(c, text) }
	}
	for _, c := range []struct {
		name, addr string
		way        cluster.Way
		err        string
	}{
		{"nobody", loopback(), cluster.Refused, "refused"},
		{"http", serve(say("HTTP/1.1 400 Bad Request\r\n\r\n")), cluster.Foreign, `"HTTP/1.1 400 Bad Request`},
		{"ssh", serve(func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n"); read(c) }), cluster.Foreign, `"SSH-2.0-x`},
		{"hangs up", serve(read), cluster.Closed, ""},
		{"silent", serve(func(c net.Conn) { read(c); read(c); read(c) }), cluster.Mute, "no answer"},
		{"a line", serve(func(c net.Conn) { read(c); read(c); _, _ = io.WriteString(c, "500 what?\r\n") }), cluster.Foreign, `"500 what?`},
		{"label", serve(say("\xf4\x03abc")), cluster.Foreign, "label"},
		{"garbage", serve(say("\x02\xc1\xc1\xc1")), cluster.Foreign, ""},
		{"another ping's answer", serve(say("\x02\x81\xa5SeqNo\x01")), cluster.Foreign, ""},
		{"a short secret", serve(say("\x0a\x00\x00\x00\x05hello")), cluster.Foreign, "5 bytes"},
		{"a huge secret", serve(say("\x0a\xff\xff\xff\xffhello")), cluster.Foreign, ""},
		{"a secret cut off", serve(say("\x0a\x00\x00\x01\x00hello")), cluster.Open, ""}, // it is taken for encryption
		{"an odd error", serve(say("\x0d\x81\xa5Error\xa4oops")), cluster.Foreign, `it says "oops"`},
		{"an empty compression", serve(say("\x09\x82\xa4Algo\x00\xa3Buf\xa0")), cluster.Foreign, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := probe(t, cluster.Config{}, c.addr)
			if p.TCP.Way != c.way || !strings.Contains(p.TCP.Err, c.err) || p.UDP.Way == cluster.Open || p.Seen != nil {
				t.Errorf("probe %+v", p)
			}
		})
	}
}

// A probe ends when it is told to.
func TestProbeEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = cluster.Config{Bind: loopback()}.Probe(ctx, blackHole(t), true)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestCheckBind(t *testing.T) {
	t.Parallel()
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	if _, err := (cluster.Config{Bind: a.Info().Bind}).CheckBind(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("beside another: %v", err)
	}
	if _, err := (cluster.Config{Bind: "192.0.2.1"}).CheckBind(t.Context()); err == nil || !strings.Contains(err.Error(), "192.0.2.1:7946") {
		t.Errorf("an address of somebody else: %v", err)
	}
	free := loopback()
	if at, err := (cluster.Config{Bind: free}).CheckBind(t.Context()); err != nil || at.String() != free+":7946" {
		t.Errorf("%s: %v, %v", free, at, err)
	}
}
