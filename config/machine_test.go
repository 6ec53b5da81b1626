package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	machineID = "etc/machine-id"
	serial    = "sys/firmware/devicetree/base/serial-number"
)

// files makes a file system of paths and contents.
func files(pairs ...string) fstest.MapFS {
	root := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		root[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return root
}

// Of a machine the machine-id counts, then the board's serial number; what an
// image says before its first start is neither.
func TestIdentity(t *testing.T) {
	const id, board = "0f3a5c0b5d6e4f708192a3b4c5d6e7f8", "100000003d1d1c36"
	for _, c := range []struct {
		name string
		root fstest.MapFS
		want string
	}{
		{"machine-id", files(machineID, id+"\n", serial, board+"\x00"), id},
		{"emptied", files(machineID, "", serial, board+"\x00"), board},
		{"first start", files(machineID, "uninitialized\n", serial, board+"\x00"), board},
		{"no machine-id", files(serial, board+"\x00"), board},
		{"nothing", files(), ""},
		{"a board without a number", files(machineID, "\n", serial, "0000000000000000\x00"), ""},
	} {
		if got := identity(c.root); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The name is the host's with something that is always the same here and
// different elsewhere, and does not give the machine-id away.
func TestAutoName(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	shape := regexp.MustCompile(`^` + regexp.QuoteMeta(host) + `-[a-z2-7]{8}$`)
	seen := map[string]bool{}
	for _, id := range []string{"0f3a5c0b5d6e4f708192a3b4c5d6e7f8", "0f3a5c0b5d6e4f708192a3b4c5d6e7f9", "100000003d1d1c36"} {
		name, again := named(AutoName, files(machineID, id)), named(AutoName, files(machineID, id+"\n"))
		if !shape.MatchString(name) || name != again || seen[name] || strings.Contains(name, id[:8]) {
			t.Errorf("%s: %q, then %q", id, name, again)
		}
		seen[name] = true
	}
}

// named is what a node of that name is called on a machine.
func named(name string, machine fstest.MapFS) string {
	c := Default()
	c.Cluster.Name = name
	c.nameNode(machine)
	return c.Cluster.Name
}

// A written name stays what it is, and none stays none: the host's.
func TestWrittenName(t *testing.T) {
	for _, name := range []string{"", "web1", "auto-1"} {
		if got := named(name, files(machineID, "0f3a5c0b5d6e4f708192a3b4c5d6e7f8")); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
}

// A machine that has no identity cannot have a name made of it.
func TestNoIdentity(t *testing.T) {
	c := Default()
	c.Cluster.Name = named(AutoName, files())
	found := false
	for _, err := range c.mistakes() {
		found = found || strings.HasPrefix(err.Error(), `cannot name this node: nothing tells this machine from its clones`)
	}
	if !found {
		t.Errorf("mistakes: %v", c.mistakes())
	}
	c.Attach = "127.0.0.1:7373"
	if m := c.mistakes(); len(m) > 0 {
		t.Errorf("with attach there is no name of one's own: %v", m)
	}
}
