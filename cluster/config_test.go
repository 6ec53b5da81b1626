package cluster_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/cluster"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// Every mistake is reported at once, each saying what is wrong and with what.
func TestValidateReportsAll(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cluster.Config{
		Name: "bad name", Bind: "1.2.3.4:99999", Advertise: "0.0.0.0", Interface: "nosuch0",
		Join: []string{"good", "bad seed"}, KeyringFile: filepath.Join(dir, "none"), TagsFile: bad,
		Profile: "moon", Protocol: 9, UserEventSizeLimit: 10_000, RejoinAfterLeave: true, Quiet: -1,
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		`cannot use node name "bad name"`, `cannot bind to "1.2.3.4:99999": port "99999" is not a number`,
		`cannot advertise "0.0.0.0"`, `cannot use interface "nosuch0"`, `cannot join "bad seed"`,
		"it does not exist; create it", "cannot read tags_file", `profile "moon": it is lan, wan or local`,
		"protocol 9: it is 2 to 5", "at most 9216", "needs a snapshot_path", "quiet = -1ns",
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%s", len(lines), len(want), err)
	}
	for i, w := range want {
		if i < len(lines) && !strings.Contains(lines[i], w) {
			t.Errorf("line %d is %q, want %q", i+1, lines[i], w)
		}
	}
	if _, jerr := cluster.Join(c); jerr == nil || jerr.Error() != err.Error() {
		t.Errorf("Join says %v", jerr)
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name string
		c    cluster.Config
		want string // part of the error, empty for none
	}{
		{"defaults", cluster.Config{Name: "n"}, ""},
		{"ipv6", cluster.Config{Name: "n", Bind: "[::1]:7", Advertise: "::1", Join: []string{"[::1]:8", "::1"}}, ""},
		{"port only", cluster.Config{Name: "n", Bind: ":7947"}, ""},
		{"seeds", cluster.Config{Name: "n", Join: []string{"host", "host:1", "name/10.0.0.1:2"}}, ""},
		{"key", cluster.Config{Name: "n", EncryptKey: key(1, 24)}, ""},
		{"no base64", cluster.Config{Name: "n", EncryptKey: "§"}, "it is not base64; make one with"},
		{"short key", cluster.Config{Name: "n", EncryptKey: key(1, 15)}, "decodes to 15 bytes instead of 16, 24 or 32"},
		{"key and ring", cluster.Config{Name: "n", EncryptKey: key(1, 16), KeyringFile: "x"}, "encrypt_key beside keyring_file"},
		{"ring", cluster.Config{Name: "n", KeyringFile: file("ring", `["`+key(1, 16)+`"]`)}, ""},
		{"empty ring", cluster.Config{Name: "n", KeyringFile: file("empty", `[]`)}, "it holds no key"},
		{"odd ring", cluster.Config{Name: "n", KeyringFile: file("odd", `{}`)}, "no JSON list"},
		{"ring of a bad key", cluster.Config{Name: "n", KeyringFile: file("badkey", `["`+key(1, 16)+`","x"]`)}, "key 2 of keyring_file"},
		{"tags", cluster.Config{Name: "n", Tags: map[string]string{"k": strings.Repeat("v", 506)}}, "513 bytes of 512"},
		{"nameless tag", cluster.Config{Name: "n", Tags: map[string]string{"": "v"}}, "a tag has no name"},
		{"tags of both", cluster.Config{Name: "n", Tags: map[string]string{"a": strings.Repeat("v", 300)},
			TagsFile: file("tags", `{"b":"`+strings.Repeat("v", 300)+`"}`)}, "bytes of 512"},
		{"no tags file yet", cluster.Config{Name: "n", TagsFile: filepath.Join(dir, "later")}, ""},
	} {
		err := c.c.Validate()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		case err != nil && c.c.EncryptKey != "" && strings.Contains(err.Error(), c.c.EncryptKey):
			t.Errorf("%s: the error tells the key", c.name)
		}
	}
}

// A port that is taken is no reason to wait: Run says so and ends.
func TestPortTaken(t *testing.T) {
	first := target(t, cluster.Config{})
	second, err := cluster.Join(cluster.Config{Name: "second", Bind: first.Info().Bind})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "address already in use; is another agent running?") {
		t.Errorf("error %v", err)
	}
}

// An address that the host does not have yet may come: Run waits for it, and
// ends when it is told to.
func TestAddressMissing(t *testing.T) {
	n, err := cluster.Join(cluster.Config{Name: "n", Bind: "192.0.2.1", Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	eventually(t, "it waits", func() bool { return strings.Contains(n.Info().Problem, "cannot assign") })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An interface stands for its address.
func TestInterface(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Interface: "lo", Bind: ":0"})
	n.waitFor("n:alive")
	if got := n.Info().Bind; !strings.HasPrefix(got, "127.0.0.1:") || strings.HasSuffix(got, ":0") {
		t.Errorf("bound to %s", got)
	}
	other, err := cluster.Join(cluster.Config{Name: "n", Interface: "lo", Bind: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- other.Run(ctx) }()
	eventually(t, "it waits", func() bool { return strings.Contains(other.Info().Problem, "it does not have 192.0.2.1") })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
