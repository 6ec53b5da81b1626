package cluster_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/cluster"
)

// key returns a gossip key of n bytes, all b.
func key(b byte, n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, n)) }

func TestEncryption(t *testing.T) {
	t.Parallel()
	for _, size := range []int{16, 24, 32} {
		a := start(t, cluster.Config{Name: "a", Bind: loopback(), EncryptKey: key(1, size)})
		a.waitFor("a:alive")
		seeds := []string{a.Info().Bind}
		b := start(t, cluster.Config{Name: "b", Bind: loopback(), EncryptKey: key(1, size), Join: seeds})
		b.waitFor("a:alive b:alive")
		if !b.Info().Encrypted {
			t.Error("not encrypted")
		}
		if size > 16 {
			continue
		}
		wrong := start(t, cluster.Config{Name: "wrong", Bind: loopback(), EncryptKey: key(2, size), Join: seeds})
		plain := start(t, cluster.Config{Name: "plain", Bind: loopback(), Join: seeds})
		for _, n := range []*node{wrong, plain} {
			eventually(t, "it cannot join", func() bool { return n.Info().JoinError != "" })
			if v := n.View(); v.Settled || len(v.Members) != 1 {
				t.Errorf("%s sees %s", n.Info().Name, describe(v))
			}
		}
		if got := describe(a.View()); got != "a:alive b:alive" {
			t.Errorf("a sees %s", got)
		}
	}
}

// The key shows up nowhere: not in the log at its most talkative, nor in
// what is told about the node.
func TestKeyIsSecret(t *testing.T) {
	secret := key(7, 32)
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), EncryptKey: secret})
	n.waitFor("n:alive")
	info, err := json.Marshal(n.Info())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(info), secret) || n.log.has(secret) {
		t.Error("the key is told")
	}
}

func TestKeyringFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	write := func(keys ...string) {
		data, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(key(2, 16), key(1, 16))
	a := start(t, cluster.Config{Name: "a", Bind: loopback(), KeyringFile: path})
	a.waitFor("a:alive")
	// a writes with its first key, which is all that b has.
	b := start(t, cluster.Config{Name: "b", Bind: loopback(), EncryptKey: key(2, 16), Join: []string{a.Info().Bind}})
	b.waitFor("a:alive b:alive")
	a.waitFor("a:alive b:alive")
}
